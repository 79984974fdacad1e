"""Out-of-fold store: predictions of each fold with their provenance, and tables beside them."""
