"""Members' training histories as lines, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Histories = Mapping[int, list[dict[str, Any]]]
_LARGEST = 1e15  # nothing that is measured is larger, and half an epoch still counts beside it


@dataclass(frozen=True)
class Panel:
    """A quantity of the history; `dashed` is the same on validation rows, with `from_zero` its axis shows zero."""

    key: str
    title: str
    unit: str
    dashed: str = ""
    from_zero: bool = False


PANELS = [
    Panel("loss", "Loss", "loss, member's unit", dashed="validation_loss"),
    Panel("accuracy", "Accuracy on training batches", "share of photographs"),
    Panel("learning_rate", "Learning rate", "step size, no unit", from_zero=True),
    Panel("photographs_per_second", "Speed", "photographs/s", from_zero=True),
]


@dataclass(frozen=True)
class Line:
    """One quantity of one network over its epochs."""

    key: str
    fold: int
    network: int
    epochs: tuple[float, ...]
    measured: tuple[float, ...]


def lines_of(histories: Histories) -> list[Line]:
    """Return every line that can be drawn, folds in order.

    Parameters
    ----------
    histories : dict of int to list of dict
        For each fold one dict an epoch, as a member's `history_` records it: `epoch` (default: its place in the list),
        `loss`, `validation_loss`, `accuracy`, `learning_rate`, `photographs_per_second`, and `seed` where a fold trains
        several networks. Every key may be missing; a value that is not a finite number is left out.
    """
    keys = [key for panel in PANELS for key in (panel.key, panel.dashed) if key]
    return [
        Line(key, fold, number, *zip(*points, strict=True))
        for key in keys
        for fold, history in sorted(histories.items())
        for number, network in enumerate(_networks(history))
        if (points := list(_points(network, key)))
    ]


def panels_of(lines: Sequence[Line]) -> list[Panel]:
    """Return the panels that have a line."""
    keys = {line.key for line in lines}
    return [panel for panel in PANELS if keys & {panel.key, panel.dashed}]


def _networks(history: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Split a fold's history by network."""
    networks: dict[str, list[dict[str, Any]]] = {}
    for entry in history:
        networks.setdefault(repr(entry.get("seed")), []).append(entry)
    return list(networks.values())


def _points(network: list[dict[str, Any]], key: str) -> Iterator[tuple[float, float]]:
    for place, entry in enumerate(network, start=1):
        value, epoch = _number(entry.get(key)), _number(entry.get("epoch"))
        if value is not None:
            yield float(place) if epoch is None else epoch, value


def _number(value: object) -> float | None:
    """Return a finite number of a size that can be drawn; None for all else: any member may have recorded it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < _LARGEST else None  # not a number, infinity: false as well
