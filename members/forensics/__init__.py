"""Traces in a photograph's pixels of how it was made, as stateless scikit-learn transformers."""

from members.forensics.bands import spectrum_bands
from members.forensics.explain import family_contributions, in_words
from members.forensics.logdct import LogDCT
from members.forensics.spectra import Spectra
from members.forensics.transformer import ForensicFeatures

__all__ = ["ForensicFeatures", "LogDCT", "Spectra", "family_contributions", "in_words", "spectrum_bands"]
