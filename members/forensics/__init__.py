"""Traces in a photograph's pixels of how it was made, as stateless scikit-learn transformers.

Their columns alone, without scikit-learn and without numba, are in `members.forensics.family`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from members.forensics.bands import spectrum_bands
    from members.forensics.explain import family_contributions, in_words
    from members.forensics.spectra import Spectra
    from members.forensics.transformer import ForensicFeatures, LogDCT

__all__ = ["ForensicFeatures", "LogDCT", "Spectra", "family_contributions", "in_words", "spectrum_bands"]

_MODULES = {
    "ForensicFeatures": "transformer",
    "LogDCT": "transformer",
    "Spectra": "spectra",
    "family_contributions": "explain",
    "in_words": "explain",
    "spectrum_bands": "bands",
}


def __getattr__(name: str) -> Any:
    """Import a public name's module when it is first asked for: `family` is wanted where scikit-learn is not."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
