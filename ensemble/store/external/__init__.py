"""Members that were trained elsewhere: their predictions are checked like a competition's files, and kept as folds."""
