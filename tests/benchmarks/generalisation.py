"""What a trained ensemble does with fakes unlike those that it learned. (`ensemble.robustness` alters photographs.)

`make bench NAME=generalisation ARGS="clusters CONFIG DATA OOF [MEMBER ...]"` cuts the fakes by their spectrum into
clusters and trains the config, or some of its members, once more on folds that each hold one whole cluster out, beside
as many real photographs. They are parts of one generator's fakes, so this is a small step beyond it, not another
generator. Real near-duplicates may stand in two of these folds: only fakes are grouped.
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ensemble.competition import Competition
from ensemble.config import load_experiment
from ensemble.metrics import to_logits
from ensemble.oof import OofStore
from members.forensics import ForensicFeatures

CLUSTERS = 4


def scores(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> dict[str, float]:
    said = logits >= 0
    accuracy = float((said == labels).mean())
    return {
        "accuracy": accuracy,
        "SE": math.sqrt(accuracy * (1 - accuracy) / len(labels)),
        "AUC": float(roc_auc_score(labels, logits)),
        "false positives": float(said[labels == 0].mean()),
        "fakes found": float(said[labels == 1].mean()),
    }


def clusters(config: Path, data: Path, oof: Path, members: Sequence[str]) -> pd.DataFrame:
    """Train on folds that hold out whole clusters of fakes; return every member's scores, cluster by cluster."""
    experiment = load_experiment(config)
    members = members or [member.name for member in experiment.members]
    name = f"{experiment.name}-clusters"
    unseen, path = oof / f"{name}-data", oof / f"{name}.yaml"
    cluster_of = write_grouped(Competition.open(data, experiment.data), data, unseen)
    settings = yaml.safe_load(config.read_text()) | {
        "name": name,
        "data": {"name_column": "name", "label_column": "target", "group_column": "group"},
        "folds": {"n_folds": CLUSTERS, "near_duplicate_distance": 0},  # near-duplicates would join clusters
    }
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
    command = [sys.executable, "-m", "ensemble.train", path, "--data", unseen, "--oof", oof]
    command += ["--members", ",".join(members)]
    subprocess.run([str(part) for part in command], check=True, stdout=sys.stderr)
    return scores_by_cluster(OofStore(oof / name), members, cluster_of)


def scores_by_cluster(store: OofStore, members: Sequence[str], cluster_of: Mapping[str, str]) -> pd.DataFrame:
    """Scores of every member, and of their mean, on each cluster and the real photographs held out with it."""
    tables = []
    for fold in range(CLUSTERS):
        logits = {}
        for member in members:
            path = store.fold_folder(member, fold) / "predictions.parquet"
            table = pd.read_parquet(path).query("split == 'oof'").sort_values("name")
            logits[member], labels = to_logits(table["pred"].to_numpy()), table["label"].to_numpy()
            held_out = {cluster_of[name] for name in table["name"]} - {""}
            if len(held_out) != 1:
                raise SystemExit(f"fold {fold} of {store.root} holds out {sorted(held_out)}, not one cluster")
        logits["mean of the logits"] = np.mean(list(logits.values()), axis=0)
        facts = {"held out": min(held_out), "fakes": int(labels.sum()), "real": int((labels == 0).sum())}
        tables += [{"member": member, **facts, **scores(z, labels)} for member, z in logits.items()]
    return pd.DataFrame(tables)


def write_grouped(competition: Competition, data: Path, folder: Path) -> dict[str, str]:
    """Copy a competition, with a column `group` in train.csv: the cluster of a fake, nothing for a real photograph."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(data, folder)
    rows, X = competition.train, competition.decode()
    fakes = np.flatnonzero(rows.labels == 1)
    spectra = ForensicFeatures(families=["spectrum"]).transform(X[fakes])
    cluster = make_pipeline(StandardScaler(), PCA(20), KMeans(CLUSTERS, n_init=10, random_state=0)).fit_predict(spectra)
    groups = pd.Series("", index=range(len(rows.names)))
    groups.iloc[fakes] = [f"cluster-{number}" for number in cluster]
    table = pd.DataFrame({"name": rows.names, "target": rows.labels, "group": groups})
    (folder / "train.csv").unlink()  # a copy of a read-only file is read-only
    table.to_csv(folder / "train.csv", index=False)
    return dict(zip(rows.names, groups, strict=True))


def main() -> None:
    what, config, data, oof = sys.argv[1], *map(Path, sys.argv[2:5])
    if what != "clusters":
        raise SystemExit(f"there is no benchmark generalisation {what}; it takes clusters CONFIG DATA OOF [MEMBER ...]")
    table = clusters(config, data, oof, sys.argv[5:])
    print(table.round(4).to_string(index=False))  # noqa: T201
    print(json.dumps({"benchmark": f"generalisation {what}", "rows": table.to_dict(orient="records"), "absent": []}))  # noqa: T201


if __name__ == "__main__":
    main()
