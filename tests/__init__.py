"""Tests, by the paths of what they test; what many of them share lies beside them."""

from pathlib import Path

ROOT = Path(__file__).parents[1]  # of the checkout
