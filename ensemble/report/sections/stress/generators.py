"""What to expect from an unseen generator: fakes clustered by spectrum, and members trained without a cluster."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ensemble.report.facts.freshness import current_rows, stale
from ensemble.report.facts.material import Material
from ensemble.report.render.blocks import Block, Column, Details, Fact, Facts, Figure, Section, Table, Text
from ensemble.store.results import ALL, GENERATORS, command_of, read

_TITLE = "Unseen generators"


def generators(material: Material) -> Section:
    """Return the results of ensemble generators; the command that makes them where there are none."""
    found = read(material.store, GENERATORS)
    if found is None:
        how = (
            f"{command_of(material.store, GENERATORS)} clusters the fakes by their spectra and trains the members "
            "again without each cluster."
        )
        return Section(GENERATORS, _TITLE, "Not measured yet.", (Text((how,)),))
    scores, facts = found
    return section_of(current_rows(material, scores, facts), facts, stale(material, facts, GENERATORS))


def section_of(scores: pd.DataFrame, facts: dict[str, Any], changed: str = "") -> Section:
    """Return the section of the rows that still apply; `changed` says which do not, and replaces the verdict."""
    if scores.empty:
        return Section(GENERATORS, _TITLE, "Measured, but not on what the store holds now.", (Text((changed,)),))
    blocks: list[Block] = [
        _headline(scores),
        Text((changed or facts["verdict"],)),
        _beside(scores),
        _members(scores),
        _clusters(scores, facts),
        _each(scores),
        _curves(facts),
        Text((facts["measured_on"], *(f"Left out: {name}, {why}." for name, why in facts["left_out"].items()))),
    ]
    lead = "Each cluster of fakes is predicted by models that saw none of it; random folds are of the same photographs."
    return Section(GENERATORS, _TITLE, lead, tuple(blocks))


def _whole(scores: pd.DataFrame) -> pd.DataFrame:
    return scores[scores["cluster"] == ALL].reset_index(drop=True)


def _headline(scores: pd.DataFrame) -> Facts:
    """Return the accuracies of the blend, which is first, or of the only member."""
    first = _whole(scores).iloc[0]
    return Facts(
        (
            _share(first, "random_accuracy", "Random folds", first["member"]),
            _share(first, "accuracy", "Unseen clusters", "the same photographs"),
            Fact("Change", f"{first['accuracy_change']:+.3f}", f"± {first['accuracy_change_se']:.3f}, paired"),
            Fact("Fakes found", f"{first['fakes_found']:.3f}", f"{first['random_fakes_found']:.3f} in random folds"),
        )
    )  # fmt: skip


def _share(row: pd.Series[Any], key: str, label: str, note: str) -> Fact:
    return Fact(label, f"{row[key]:.3f}", f"± {row[f'{key}_se']:.3f}, {note}")


def _beside(scores: pd.DataFrame) -> Figure:
    frame = _whole(scores)
    ends = [("random_accuracy", "random folds", "$muted"), ("accuracy", "unseen clusters", "$accent")]
    traces: list[dict[str, Any]] = [
        {"type": "scatter", "mode": "markers", "name": name, "x": frame[key], "y": frame["member"],
         "error_x": {"type": "data", "array": 1.96 * frame[f"{key}_se"], "color": colour, "thickness": 1},
         "marker": {"color": colour, "size": 10}, "hovertemplate": f"%{{y}}, {name}: %{{x:.3f}}<extra></extra>"}
        for key, name, colour in ends
    ]  # fmt: skip
    falls = frame.iloc[int(frame["accuracy_change"].argmin())]
    change = f"{falls['accuracy_change']:+.3f} ± {falls['accuracy_change_se']:.3f}"
    return Figure(
        "never-seen",
        "Accuracy on unseen clusters, compared with random folds",
        f"Accuracy of {len(frame)} rows, the blend and the members, on the same photographs, with 95% intervals. The "
        f"largest fall is that of {falls['member']}: {change}.",
        traces,
        {"xaxis": {"title": {"text": "accuracy"}, "tickformat": ".2f"},
         "yaxis": {"autorange": "reversed", "type": "category"}},
        Table(
            "never-seen-numbers",
            "Accuracy on unseen clusters, and in random folds",
            frame[["member", "random_accuracy", "random_accuracy_se", "accuracy", "accuracy_se"]],
            (Column("member", "Member"), Column("random_accuracy", "Random folds", "score", error="random_accuracy_se"),
             Column("accuracy", "Unseen clusters", "score", error="accuracy_se")),
        ),
        height=120 + 30 * len(frame),
    )  # fmt: skip


def _members(scores: pd.DataFrame) -> Table:
    return Table(
        "generators-by-member",
        "All clusters together; changes are paired, their errors count photographs, not generators",
        _whole(scores),
        (
            Column("member", "Member"),
            Column("random_accuracy", "Random folds", "score", error="random_accuracy_se"),
            Column("accuracy", "Unseen", "score", error="accuracy_se"),
            Column("accuracy_change", "Change", "gain", error="accuracy_change_se"),
            Column("random_fakes_found", "Fakes found, random", "score", error="random_fakes_found_se"),
            Column("fakes_found", "Fakes found, unseen", "score", error="fakes_found_se"),
            Column("random_false_positives", "Real predicted fake, random", "score", error="random_false_positives_se"),
            Column("false_positives", "Real predicted fake, unseen", "score", error="false_positives_se"),
            Column("random_auc", "AUC, random", "score", error="random_auc_se"),
            Column("auc", "AUC, unseen", "score", error="auc_se"),
        ),
    )


def _clusters(scores: pd.DataFrame, facts: dict[str, Any]) -> Table:
    first = _whole(scores)["member"].iloc[0]
    mine = scores[(scores["member"] == first) & (scores["cluster"] != ALL)].reset_index(drop=True)
    about = pd.DataFrame(facts["clusters"])[["cluster", "training_fakes", "training_real", "silhouette", "nearest"]]
    tried = ", ".join(f"{number}: {value:.2f}" for number, value in facts["silhouettes"].items())
    frame = mine.merge(about, on="cluster")
    frame["nearest"] = [", ".join(names) for names in frame["nearest"]]
    return Table(
        "clusters",
        f"Cluster by cluster, predicted by {first}. {facts['method']}; {facts['rule']}. Silhouette of all: "
        f"{facts['silhouette']:.2f}, {facts['separation']}. Silhouettes of the numbers tried: {tried}. No score was "
        "used.",
        frame,
        (
            Column("cluster", "Cluster", "count"),
            Column("fakes", "Fakes", "count"),
            Column("n", "Photographs", "count"),
            Column("training_fakes", "Training fakes", "count"),
            Column("training_real", "Training real", "count"),
            Column("accuracy", "Accuracy", "score", error="accuracy_se"),
            Column("accuracy_change", "Change", "gain", error="accuracy_change_se"),
            Column("fakes_found", "Fakes found", "score", error="fakes_found_se"),
            Column("silhouette", "Silhouette", "weight"),
            Column("nearest", "Nearest to its centre"),
        ),
    )


def _each(scores: pd.DataFrame) -> Details:
    """Return a table of every cluster by every member, closed."""
    frame = scores[scores["cluster"] != ALL].sort_values("cluster", kind="stable").reset_index(drop=True)
    table = Table(
        "generators-by-cluster",
        "Each cluster by models that never saw it, compared with the same photographs in random folds; changes are "
        "paired",
        frame,
        (
            Column("cluster", "Cluster", "count"),
            Column("member", "Member"),
            Column("random_accuracy", "Random folds", "score", error="random_accuracy_se"),
            Column("accuracy", "Unseen", "score", error="accuracy_se"),
            Column("accuracy_change", "Change", "gain", error="accuracy_change_se"),
            Column("random_fakes_found", "Fakes found, random", "score", error="random_fakes_found_se"),
            Column("fakes_found", "Fakes found, unseen", "score", error="fakes_found_se"),
            Column("false_positives", "Real predicted fake", "score", error="false_positives_se"),
            Column("auc", "AUC", "score", error="auc_se"),
            Column("n", "Photographs", "count"),
        ),
    )
    summary = f"{len(frame)} rows"
    return Details("generators-each-cluster", "Each cluster, predicted by each member", summary, (table,))


def _curves(facts: dict[str, Any]) -> Figure:
    """Draw the mean luminance spectrum of each cluster less that of the real photographs."""
    real = pd.Series(facts["luminance_of_real"])
    curves = {f"cluster {c['cluster']} ({c['fakes']})": pd.Series(c["luminance"]) - real for c in facts["clusters"]}
    frequencies = facts["frequencies"]
    traces = [
        {"type": "scatter", "mode": "lines", "name": name, "x": frequencies, "y": curve,
         "line": {"color": f"${n % 8 + 1}"},
         "hovertemplate": f"{name}: %{{y:+.2f}} at %{{x:.3f}}<extra></extra>"}
        for n, (name, curve) in enumerate(curves.items())
    ]  # fmt: skip
    frame = pd.DataFrame({"frequency": frequencies, **curves}).iloc[:: max(len(frequencies) // 32, 1)]
    columns = [Column(name, name, "gain") for name in curves]
    return Figure(
        "cluster-spectra",
        "How the clusters differ from real photographs",
        "Mean luminance spectrum of each cluster less that of the real photographs, in decades of power: at zero fakes "
        "have as much power at this frequency as real photographs.",
        traces,
        {"xaxis": {"title": {"text": "cycles a pixel"}}, "yaxis": {"title": {"text": "decades over real"}}},
        Table(
            "cluster-spectra-numbers",
            "Decades over the mean spectrum of real photographs",
            frame.reset_index(drop=True),
            (Column("frequency", "Cycles a pixel", "number"), *columns),
        ),
    )
