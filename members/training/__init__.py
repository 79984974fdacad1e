"""Fitting a photograph network: batches, crops, augmentation, schedule, averaging. Independent of scikit-learn."""
