"""Held-out photographs, altered, and predicted by the stored models of each fold."""
