"""Folds: cut once for all members, grouped by near-duplicates, identified by a hash."""
