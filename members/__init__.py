"""Base learners over photographs, as scikit-learn estimators. They import nothing from the framework."""

import os

# These libraries report their use to their makers. Here they do not, unless the user says so.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
