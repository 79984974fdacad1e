"""Writes the golden bundle of the current schema: `python -m tests.ensemble.predict.golden`.

One for each schema stands in `tests/ensemble/predict/golden/`, with the answers that it gave when it was made. Those of
released schemas are never written again.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from ensemble.predict.bundle.manifest import SCHEMA
from ensemble.predict.predictor import load_bundle
from tests.commands import run_here
from tests.competitions import photograph, write_competition, write_config
from tests.conftest import train_inline

GOLDEN = Path(__file__).with_name("golden")
MEMBERS = """
  - name: linear
    features: {use: members.forensics.LogDCT, cell: 64}
    model: {use: members.ridge.CalibratedRidge, alpha: 10, cv: 3}
  - name: trees
    features: {use: members.forensics.ForensicFeatures, families: [flags, dct]}
    model: {use: lightgbm.LGBMClassifier, n_estimators: 3, min_child_samples: 4, num_leaves: 3, verbose: -1}
  - name: network
    features: {use: members.embedding.FrozenEmbedding, backbone: test_efficientnet, weights: none,
               layers: [blocks.0], statistics: [mean, log_covariance]}
    model: {use: members.ridge.CalibratedRidge, alpha: 10, cv: 3}
"""
ASKED = range(6)  # seeds of photographs


def write(schema: int) -> None:
    """Train a tiny store, and keep its bundle and its answers."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        data = write_competition(folder / "data")
        config = write_config(folder / "golden.yaml", MEMBERS, name="golden", extra="folds: {n_folds: 2}")
        config.write_text(config.read_text().replace("blend: {trials: 10}", "blend: {methods: [mean]}"))
        train_inline(config, data, folder)
        assert run_here("blend", folder / "golden", cwd=folder).returncode == 0
        target = GOLDEN / f"schema-{schema}.zip"
        assert run_here("bundle", folder / "golden", "-o", target, cwd=folder).returncode == 0
    answers = load_bundle(target).predict(photograph(900 + seed, fake=seed % 2 == 1) for seed in ASKED)
    members = ["linear", "trees", "network"]
    rows = [answer.row(members) for answer in answers]
    target.with_suffix(".json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    write(SCHEMA)
    sys.stdout.write(f"written: {GOLDEN}/schema-{SCHEMA}.zip\n")
