"""Writes a small synthetic competition in the organisers' format, to try everything without their data."""
