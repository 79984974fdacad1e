"""Summary of the scores by cluster: a verdict in words, and the table in the terminal."""

from __future__ import annotations

from typing import Any

import pandas as pd
from rich.console import Console

from ensemble.report.text import print_table
from ensemble.store.results import ALL, BLEND
from ensemble.stress.generators.clusters import REASONABLE

_NARROW = ["member", "random folds", "unseen clusters", "change"]
_SIGNIFICANT = 2  # standard errors; a smaller difference may be chance


def verdict(scores: pd.DataFrame, silhouette: float) -> str:
    """Return what to expect of fakes from an unseen generator, by the blend, or by the best member without a blend."""
    best = _headline(scores[scores["cluster"] == ALL])
    parts = scores[(scores["cluster"] != ALL) & (scores["member"] == best["member"])]
    worst = parts.sort_values("accuracy").iloc[0]
    beyond = (
        "The clusters are clearly separated, as generators would be: expect about as much from another one like them."
        if silhouette > REASONABLE
        else "The clusters are most likely parts of one generator's fakes: a small step beyond them, not another "
        "generator. The figures show how far the decision depends on the fakes in training, and are no forecast for "
        "another generator."
    )
    return (
        f"With each cluster of fakes left out of training in turn, {_called(best['member'])} decides "
        f"{_with_error(best, 'accuracy')} of {best['n']} photographs correctly, "
        f"against {_with_error(best, 'random_accuracy')} of the same photographs in random folds: "
        f"{change_in_words('accuracy', best['accuracy_change'], best['accuracy_change_se'])}. "
        f"It finds {best['fakes_found']:.3f} of the fakes, against {best['random_fakes_found']:.3f}. "
        f"Worst is cluster {worst['cluster']}, with {_with_error(worst, 'accuracy')} correct. {beyond}"
    )


def change_in_words(what: str, change: float, error: float) -> str:
    """Return a sentence such as "accuracy falls by 0.021 ± 0.006"."""
    if abs(change) < _SIGNIFICANT * error or change == 0:
        return f"{what} changes by {change:+.3f} ± {error:.3f}, which may be chance"
    return f"{what} {'falls' if change < 0 else 'rises'} by {abs(change):.3f} ± {error:.3f}"


def _as_text(scores: pd.DataFrame) -> pd.DataFrame:
    """Return a row of text for each member: all clusters beside the random folds, then every cluster."""
    rows = []
    for member, part in scores.groupby("member", sort=False):
        whole, clusters = part[part["cluster"] == ALL].iloc[0], part[part["cluster"] != ALL]
        row = {
            "member": member,
            "random folds": _with_error(whole, "random_accuracy"),
            "unseen clusters": _with_error(whole, "accuracy"),
            "change": f"{whole['accuracy_change']:+.3f} ± {whole['accuracy_change_se']:.3f}",
            "fakes found": f"{whole['random_fakes_found']:.3f} → {whole['fakes_found']:.3f}",
            "false positives": f"{whole['random_false_positives']:.3f} → {whole['false_positives']:.3f}",
            "AUC": f"{whole['random_auc']:.3f} → {whole['auc']:.3f}",
        }
        by_cluster = zip(clusters["cluster"], clusters["accuracy"], strict=True)
        rows.append(row | {f"cluster {cluster}": f"{accuracy:.3f}" for cluster, accuracy in by_cluster})
    return pd.DataFrame(rows)


def print_scores(content: dict[str, Any], scores: pd.DataFrame, console: Console) -> None:
    """Print the table, what was left out, and the verdict."""
    print_table(console, content["heading"], _as_text(scores), _NARROW)  # the page has all columns
    for name, reason in content["left_out"].items():
        console.print(f"left out: {name}, {reason}", markup=False)
    console.print(content["verdict"], markup=False)


def _with_error(row: Any, name: str) -> str:
    return f"{row[name]:.3f} ± {row[f'{name}_se']:.3f}"


def _called(member: str) -> str:
    return f"the {member}" if member.startswith(f"{BLEND} (") else member


def _headline(whole: pd.DataFrame) -> Any:
    """Return the row of the blend, else of the member that is best in random folds: not chosen by these scores."""
    blend = whole[whole["member"].str.startswith(f"{BLEND} (")]
    return blend.iloc[0] if len(blend) else whole.iloc[int(whole["random_accuracy"].argmax())]
