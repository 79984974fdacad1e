"""Stateless features of all photographs, computed in chunks and cached by content."""
