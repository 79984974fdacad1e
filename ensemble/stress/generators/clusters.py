"""Clusters of fakes by their spectra, made without any score, for evaluation only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble.core.arrays import Labels
from ensemble.core.errors import UserError
from ensemble.core.threads import threads

NUMBERS = range(2, 7)
REASONABLE, WEAK = 0.5, 0.25  # silhouettes, as Kaufman and Rousseeuw (1990) read them
METHOD = "StandardScaler, PCA of 20 components, KMeans of 10 starts, 1"
RULE = (
    "of 2 to 6 clusters the number with the largest silhouette, 2 only where they are clearly separated (above 0.5); a "
    "cluster of fewer than one in twenty fakes joins the nearest"
)
_COMPONENTS, _STARTS, _LEAST_SHARE, _NEAREST = 20, 10, 0.05, 5
_MOST_ROWS = 5_000  # of a silhouette, which compares each with each

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Clusters:
    """Which cluster each fake belongs to.

    Attributes
    ----------
    labels : int64 (fakes,)
        0 is the largest cluster.
    silhouette : float
        Mean over the fakes (Rousseeuw, 1987): near 0 where clusters are parts of one cloud, 1 where each is a point.
    each : list of float
        The same within every cluster.
    tried : dict
        Silhouette of each number of clusters that was tried.
    nearest : list of list of str
        The names nearest to the centre of every cluster, the nearest first.
    """

    labels: Labels
    silhouette: float
    each: list[float]
    tried: dict[int, float]
    nearest: list[list[str]]

    @property
    def number(self) -> int:
        """Return the number of clusters."""
        return len(self.each)


def find_clusters(
    spectra: NDArray[np.float32], names: Sequence[str], groups: Sequence[str], seed: int, n_clusters: int | None = None
) -> Clusters:
    """Cluster fakes by their spectra (fakes, columns), with `n_clusters` clusters (default: by `RULE`).

    Fakes of one group stay together, in the cluster of most of them.

    Raises
    ------
    UserError
        There are too few fakes, or they do not give so many clusters.
    """
    if len(set(groups)) < 2 * (n_clusters or 2):
        least = n_clusters or 2
        raise UserError(f"{len(set(groups))} different fakes are too few for {least} clusters, which need {2 * least}")
    if (spectra == spectra[0]).all():
        raise UserError("all fakes have the same spectrum, so they do not fall into clusters")
    with threads(1):  # sums in one order: the same clusters on any machine
        points = _points(spectra)
        numbers = [n_clusters] if n_clusters else [n for n in NUMBERS if n < len(set(groups))]
        partitions = [_partition(points, n, groups, seed, merge=n_clusters is None) for n in numbers]
        found = {int(labels.max()) + 1: labels for labels in reversed(partitions) if labels.max() > 0}
        silhouettes = {n: _silhouettes(points, found[n], seed) for n in sorted(found)}
    tried = {n: float(values.mean()) for n, (values, _) in silhouettes.items()}
    if not tried or n_clusters not in (None, *tried):
        remedy = "; give another --clusters" if n_clusters else ""
        raise UserError(f"the fakes do not fall into {n_clusters or 'two'} clusters{remedy}")
    number = choose_number(tried)
    labels, (values, rows) = found[number], silhouettes[number]
    each = [float(values[labels[rows] == cluster].mean()) for cluster in range(number)]
    return Clusters(labels, tried[number], each, tried, _nearest(points, labels, names))


def choose_number(tried: dict[int, float]) -> int:
    """Return the number of clusters with the largest silhouette, by `RULE`.

    Two parts of one cloud would leave out half of the fakes, and any model trained on the other half is worse.
    """
    apart = {number: value for number, value in tried.items() if number > 2 or value > REASONABLE}
    return max(apart or tried, key=lambda number: (tried[number], -number))


def separation(silhouette: float) -> str:
    """Describe a silhouette in words, after Kaufman and Rousseeuw (1990)."""
    if silhouette > REASONABLE:
        return "clearly separated, as fakes of several generators would be"
    if silhouette > WEAK:
        return "weakly separated; they may be parts of one generator's fakes"
    return "hardly separated: parts of one cloud, as one generator's fakes are"


def _points(spectra: NDArray[np.float32]) -> Points:
    """Return the principal components of the scaled spectra (fakes, components)."""
    from sklearn.decomposition import PCA  # takes seconds, and only new clusters need it
    from sklearn.preprocessing import StandardScaler

    scaled = StandardScaler().fit_transform(spectra.astype(np.float64))
    points: Points = PCA(min(_COMPONENTS, *scaled.shape), svd_solver="full").fit_transform(scaled)
    return points


def _partition(points: Points, number: int, groups: Sequence[str], seed: int, *, merge: bool) -> Labels:
    """Return the clusters by k-means, groups whole, the largest first."""
    from sklearn.cluster import KMeans

    found = KMeans(number, n_init=_STARTS, random_state=seed).fit(points)
    labels = found.labels_
    if merge:
        large = np.flatnonzero(np.bincount(labels, minlength=number) >= _LEAST_SHARE * len(labels))
        labels = found.transform(points)[:, large].argmin(axis=1)
    return _by_size(_majority(labels, groups))


def _majority(labels: NDArray[np.integer], groups: Sequence[str]) -> Labels:
    counts = pd.crosstab(np.asarray(groups), labels)
    return counts.idxmax(axis=1).loc[list(groups)].to_numpy().astype(np.int64)


def _by_size(labels: Labels) -> Labels:
    """Renumber the clusters by size; of equal ones the first to appear is first."""
    numbers, first, sizes = np.unique(labels, return_index=True, return_counts=True)
    ordered = numbers[np.lexsort((first, -sizes))]
    rank = {number: place for place, number in enumerate(ordered)}
    return np.array([rank[label] for label in labels], dtype=np.int64)


def _silhouettes(points: Points, labels: Labels, seed: int) -> tuple[Points, NDArray[np.intp]]:
    """Return silhouettes and the rows that they belong to: all, or a sample of `_MOST_ROWS`."""
    from sklearn.metrics import silhouette_samples

    rows = np.sort(np.random.default_rng(seed).permutation(len(labels))[:_MOST_ROWS])
    values: Points = silhouette_samples(points[rows], labels[rows])
    return values, rows


def _nearest(points: Points, labels: Labels, names: Sequence[str]) -> list[list[str]]:
    found = []
    for cluster in range(int(labels.max()) + 1):
        rows = np.flatnonzero(labels == cluster)
        distances = np.linalg.norm(points[rows] - points[rows].mean(axis=0), axis=1)
        found.append([names[row] for row in rows[np.argsort(distances, kind="stable")[:_NEAREST]]])
    return found
