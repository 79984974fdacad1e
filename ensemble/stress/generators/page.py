"""The scores by cluster as people read them in the terminal: a verdict, and a table."""

from __future__ import annotations

from typing import Any

import pandas as pd
from rich.console import Console

from ensemble.report.text import print_table
from ensemble.store.results import ALL, BLEND
from ensemble.stress.generators.clusters import REASONABLE

_NARROW = ["member", "random folds", "unseen clusters", "change"]
_TOLD = 2  # standard errors from which on a difference is told


def verdict(scores: pd.DataFrame, silhouette: float) -> str:
    """What to expect from a generator never seen, by the blend, or by the best member where there is none."""
    best = _headline(scores[scores["cluster"] == ALL])
    parts = scores[(scores["cluster"] != ALL) & (scores["member"] == best["member"])]
    worst = parts.sort_values("accuracy").iloc[0]
    beyond = (
        "The clusters stand apart, as generators would, so about that much is to be expected of another one like them."
        if silhouette > REASONABLE
        else "The clusters are most likely parts of one generator's fakes: a small step beyond them, not another "
        "generator. It shows how far the decision leans on what was seen, and is no forecast of another generator's "
        "figure."
    )
    return (
        f"With each cluster of fakes left out of training in turn, {_called(best['member'])} decides "
        f"{_with_error(best, 'accuracy')} of {best['n']} photographs rightly, "
        f"against {_with_error(best, 'random_accuracy')} of the same ones in random folds: "
        f"{change_in_words('accuracy', best['accuracy_change'], best['accuracy_change_se'])}. "
        f"It finds {best['fakes_found']:.3f} of the fakes, against {best['random_fakes_found']:.3f}. "
        f"Worst is cluster {worst['cluster']}, with {_with_error(worst, 'accuracy')} right. {beyond}"
    )


def change_in_words(what: str, change: float, error: float) -> str:
    """Such as: accuracy falls by 0.021 ± 0.006."""
    if abs(change) < _TOLD * error or change == 0:
        return f"{what} changes by {change:+.3f} ± {error:.3f}, which may be chance"
    return f"{what} {'falls' if change < 0 else 'rises'} by {abs(change):.3f} ± {error:.3f}"


def shown(scores: pd.DataFrame) -> pd.DataFrame:
    """One row a member as text: all clusters beside the random folds, then every cluster."""
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
        row |= {f"cluster {cluster}": f"{accuracy:.3f}" for cluster, accuracy in _each(clusters)}
        rows.append(row)
    return pd.DataFrame(rows)


def print_scores(content: dict[str, Any], scores: pd.DataFrame, console: Console) -> None:
    """The table, the verdict and what was left out."""
    text = shown(scores)
    if sum(text[column].map(len).max() + 2 for column in text.columns) > console.width:
        text = text[_NARROW]  # the page has all columns
    print_table(console, content["heading"], text)
    for line in (*_left_out(content), content["verdict"]):
        console.print(line, markup=False)


def _left_out(content: dict[str, Any]) -> list[str]:
    return [f"left out: {name}, {reason}" for name, reason in content["left_out"].items()]


def _each(clusters: pd.DataFrame) -> zip[tuple[int, float]]:
    return zip(clusters["cluster"], clusters["accuracy"], strict=True)


def _with_error(row: Any, name: str) -> str:
    return f"{row[name]:.3f} ± {row[f'{name}_se']:.3f}"


def _called(member: str) -> str:
    return f"the {member}" if member.startswith(f"{BLEND} (") else member


def _headline(whole: pd.DataFrame) -> Any:
    """The row that people ask for. A member is not chosen by what it is to be told of."""
    blend = whole[whole["member"].str.startswith(f"{BLEND} (")]
    return blend.iloc[0] if len(blend) else whole.iloc[int(whole["random_accuracy"].argmax())]
