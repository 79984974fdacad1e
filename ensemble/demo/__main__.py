"""Starts `python -m ensemble.demo`."""

from __future__ import annotations

from ensemble.console import run
from ensemble.demo.command import main

run(main)
