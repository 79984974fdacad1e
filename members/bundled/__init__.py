"""Parts of a bundle that members wrote, read back without scikit-learn, torch or numba."""
