"""Held-out photographs altered as the world alters them, and each fold's stored models asked again."""
