"""What to expect from a generator never seen: fakes clustered by spectrum, and members that never saw a cluster."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ensemble.report.facts.freshness import stale, standing
from ensemble.report.facts.material import Material
from ensemble.report.render.blocks import Block, Column, Details, Fact, Facts, Figure, Section, Table, Text
from ensemble.store.results import ALL, GENERATORS, command_of, read

_TITLE = "Generators never seen"


def generators(material: Material) -> Section:
    """From what ensemble generators has found; how to find it where it has not run."""
    found = read(material.store, GENERATORS)
    if found is None:
        how = (
            f"{command_of(material.store, GENERATORS)} clusters the fakes by their spectra and trains the members once "
            "more without each cluster."
        )
        return Section(GENERATORS, _TITLE, "Not measured yet.", (Text((how,)),))
    scores, facts = found
    return section_of(standing(material, scores, facts), facts, stale(material, facts, GENERATORS))


def section_of(scores: pd.DataFrame, facts: dict[str, Any], changed: str = "") -> Section:
    """The section of the rows that still stand; `changed` says which do not, and takes the place of the verdict."""
    if scores.empty:
        return Section(GENERATORS, _TITLE, "Measured, but not of what the store holds now.", (Text((changed,)),))
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
    lead = (
        "Each cluster of fakes is decided by models that saw none of it; beside that, random folds, same photographs."
    )
    return Section(GENERATORS, _TITLE, lead, tuple(blocks))


def _whole(scores: pd.DataFrame) -> pd.DataFrame:
    return scores[scores["cluster"] == ALL].reset_index(drop=True)


def _headline(scores: pd.DataFrame) -> Facts:
    """Of the blend, which stands first, or of the only member."""
    first = _whole(scores).iloc[0]
    return Facts(
        (
            _share(first, "random_accuracy", "Random folds", first["member"]),
            _share(first, "accuracy", "Clusters never seen", "the same photographs"),
            Fact("Change", f"{first['accuracy_change']:+.3f}", f"± {first['accuracy_change_se']:.3f}, paired"),
            Fact("Fakes found", f"{first['fakes_found']:.3f}", f"{first['random_fakes_found']:.3f} in random folds"),
        )
    )  # fmt: skip


def _share(row: pd.Series[Any], key: str, label: str, note: str) -> Fact:
    return Fact(label, f"{row[key]:.3f}", f"± {row[f'{key}_se']:.3f}, {note}")


def _beside(scores: pd.DataFrame) -> Figure:
    frame = _whole(scores)
    ends = [("random_accuracy", "random folds", "$muted"), ("accuracy", "clusters never seen", "$accent")]
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
        "Accuracy on clusters never seen, beside random folds",
        f"Accuracy of {len(frame)} rows, the blend and the members, on the same photographs, with 95% intervals. The "
        f"largest fall is that of {falls['member']}: {change}.",
        traces,
        {"xaxis": {"title": {"text": "accuracy"}, "tickformat": ".2f"},
         "yaxis": {"autorange": "reversed", "type": "category"}},
        Table(
            "never-seen-numbers",
            "Accuracy on clusters never seen, and in random folds",
            frame[["member", "random_accuracy", "random_accuracy_se", "accuracy", "accuracy_se"]],
            (Column("member", "Member"), Column("random_accuracy", "Random folds", "score", error="random_accuracy_se"),
             Column("accuracy", "Clusters never seen", "score", error="accuracy_se")),
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
            Column("accuracy", "Never seen", "score", error="accuracy_se"),
            Column("accuracy_change", "Change", "gain", error="accuracy_change_se"),
            Column("random_fakes_found", "Fakes found, random", "score", error="random_fakes_found_se"),
            Column("fakes_found", "Fakes found, never seen", "score", error="fakes_found_se"),
            Column("random_false_positives", "Real called fake, random", "score", error="random_false_positives_se"),
            Column("false_positives", "Real called fake, never seen", "score", error="false_positives_se"),
            Column("random_auc", "AUC, random", "score", error="random_auc_se"),
            Column("auc", "AUC, never seen", "score", error="auc_se"),
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
        f"Cluster by cluster, decided by {first}. {facts['method']}; {facts['rule']}. Silhouette of all: "
        f"{facts['silhouette']:.2f}, {facts['separation']}. Silhouettes of the numbers tried: {tried}. No score was "
        "looked at.",
        frame,
        (
            Column("cluster", "Cluster", "count"),
            Column("fakes", "Fakes", "count"),
            Column("n", "Photographs", "count"),
            Column("training_fakes", "Fakes learned from", "count"),
            Column("training_real", "Real learned from", "count"),
            Column("accuracy", "Accuracy", "score", error="accuracy_se"),
            Column("accuracy_change", "Change", "gain", error="accuracy_change_se"),
            Column("fakes_found", "Fakes found", "score", error="fakes_found_se"),
            Column("silhouette", "Silhouette", "weight"),
            Column("nearest", "Nearest to its centre"),
        ),
    )


def _each(scores: pd.DataFrame) -> Details:
    """Every cluster by every member, closed."""
    frame = scores[scores["cluster"] != ALL].sort_values("cluster", kind="stable").reset_index(drop=True)
    table = Table(
        "generators-by-cluster",
        "Each cluster by models that never saw it, beside the same photographs in random folds; changes are paired",
        frame,
        (
            Column("cluster", "Cluster", "count"),
            Column("member", "Member"),
            Column("random_accuracy", "Random folds", "score", error="random_accuracy_se"),
            Column("accuracy", "Never seen", "score", error="accuracy_se"),
            Column("accuracy_change", "Change", "gain", error="accuracy_change_se"),
            Column("random_fakes_found", "Fakes found, random", "score", error="random_fakes_found_se"),
            Column("fakes_found", "Fakes found, never seen", "score", error="fakes_found_se"),
            Column("false_positives", "Real called fake", "score", error="false_positives_se"),
            Column("auc", "AUC", "score", error="auc_se"),
            Column("n", "Photographs", "count"),
        ),
    )
    summary = f"{len(frame)} rows"
    return Details("generators-each-cluster", "Each cluster, decided by each member", summary, (table,))


def _curves(facts: dict[str, Any]) -> Figure:
    """Mean luminance spectra: of the real ones, and of each cluster less the mean of the real ones."""
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
        "Mean luminance spectrum of each cluster less that of the real photographs, in decades of power: zero means "
        "that the fakes have as much of this frequency as real photographs have.",
        traces,
        {"xaxis": {"title": {"text": "cycles a pixel"}}, "yaxis": {"title": {"text": "decades over real"}}},
        Table(
            "cluster-spectra-numbers",
            "Decades over the mean spectrum of real photographs",
            frame.reset_index(drop=True),
            (Column("frequency", "Cycles a pixel", "number"), *columns),
        ),
    )
