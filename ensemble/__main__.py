"""Starts `python -m ensemble VERB`, which is `ensemble VERB`."""

from __future__ import annotations

from ensemble.cli import main

main()
