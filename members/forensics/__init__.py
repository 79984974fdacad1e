"""What a photograph's pixels tell about how it was made, as stateless scikit-learn transformers."""

from members.forensics.logdct import LogDCT
from members.forensics.transformer import ForensicFeatures

__all__ = ["ForensicFeatures", "LogDCT"]
