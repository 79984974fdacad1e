"""Members that were trained elsewhere: their predictions are checked and stored as folds."""
