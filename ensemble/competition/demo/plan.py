"""Plan of the demo: the name, class and random stream of every photograph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ensemble.core.errors import UserError

SMALLEST_TRAIN, SMALLEST_TEST = 20, 2
SPLITS = ("train", "test")


@dataclass(frozen=True)
class Photo:
    """One photograph to make."""

    split: str
    name: str
    fake: bool
    stream: tuple[int, int, int]  # seed, split, number: of a random stream that no other photograph changes


def plan(split: str, count: int, seed: int) -> list[Photo]:
    """List the photographs of a split, sorted by name; half are fake (the smaller half of an odd number)."""
    number = SPLITS.index(split)
    fake = np.random.default_rng((seed, number)).permutation(count) < count // 2
    width = max(5, len(str(count)))
    return [Photo(split, f"{i + 1:0{width}}.jpg", bool(fake[i]), (seed, number, i)) for i in range(count)]


def check_sizes(train: int, test: int, seed: int) -> None:
    """Raise `UserError` for sizes that are too small, or a negative seed."""
    if train < SMALLEST_TRAIN or test < SMALLEST_TEST:
        least = f"at least {SMALLEST_TRAIN} training and {SMALLEST_TEST} test photographs"
        raise UserError(f"the demo needs {least}, not {train} and {test}: give a larger --train or --test")
    if seed < 0:
        raise UserError(f"the demo's --seed must be 0 or more, not {seed}")
