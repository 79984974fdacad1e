"""Faces: found in photographs of any size, and aligned as those of the training photographs are."""
