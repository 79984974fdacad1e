"""Fitting a photograph network: batches, crops, augmentation, schedule, averaging. Knows no scikit-learn."""
