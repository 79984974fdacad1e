"""The framework: photographs, folds, predictions and blends. It knows no CNN and no Fourier transform."""

import os

# These libraries report their use to their makers. Here they do not, unless the user says so.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
