"""Writes a small synthetic competition in the organisers' format, to try everything without their data."""

from __future__ import annotations

from ensemble.demo.command import main
from ensemble.demo.plan import true_test_labels
from ensemble.demo.write import MARKER, write_demo

__all__ = ["MARKER", "main", "true_test_labels", "write_demo"]
