"""The framework: photographs, folds, predictions and blends. It knows no CNN and no Fourier transform."""
