"""Answers about many photographs from all nodes of a Ray cluster, or all cores of this machine, by Ray Data.

Photographs on this machine are read by its node, so that the others need no shared disk; those of an object store are
read where they are answered. Few are in memory at once, and what a lost node has not answered another one does.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import ray
import ray.data
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location, location
from ensemble.engine.ray_connection import connect, why_not
from ensemble.predict.bundle.files import BundleFiles
from ensemble.predict.photographs.sources import Source
from ensemble.predict.predictor import AT_ONCE, Bundle

Row = dict[str, Any]
Batch = dict[str, Any]


def rows_on_ray(path: Location, sources: Sequence[Source], threads: int | None) -> Iterator[Row]:
    """Yield a row for each photograph, in order.

    Parameters
    ----------
    threads : int or None
        Threads, and cores that are reserved, for each copy of the models; default: one.

    Raises
    ------
    UserError
        Ray does not start, or cannot be reached.
    """
    files, cores = BundleFiles(path), threads or 1
    with _connected():
        content = ray.put((files.where, files.manifest.model_dump_json(), files.content()))
        items = [{"name": source.name, "path": str(source.path)} for source in sources]
        data: ray.data.Dataset = ray.data.from_items(items, override_num_blocks=max(len(items) // (4 * AT_ONCE), 1))
        if os.environ.get("RAY_ADDRESS"):
            here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
            data = data.map_batches(_read_here, batch_size=AT_ONCE, num_cpus=0.1, scheduling_strategy=here)
        answered = data.map_batches(
            _Answering,
            fn_constructor_args=(content, cores),
            batch_size=4 * AT_ONCE,
            num_cpus=cores,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=None),
        )
        for row in answered.iter_rows():
            yield json.loads(row["row"])


@contextmanager
def _connected() -> Iterator[None]:
    address = os.environ.get("RAY_ADDRESS")
    try:
        connect(address)
    except (OSError, RuntimeError, ValueError, RayError) as error:
        raise UserError(why_not(error, address)) from None
    try:
        context = ray.data.DataContext.get_current()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        yield
    finally:
        ray.shutdown()


def _read_here(batch: Any) -> Any:
    """Read the photographs that lie on this machine: a column of their bytes, or of the reason why not."""
    read = [None if "://" in path else Source(name, location(path)).read() for name, path in _pairs(batch)]
    content = np.array([each if isinstance(each, bytes) else b"" for each in read], dtype=object)
    reasons = np.array([each if isinstance(each, str) else "" for each in read], dtype=object)
    return {**batch, "content": content, "reason": reasons}


class _Answering:
    """A copy of the models on a node."""

    def __init__(self, content: Any, threads: int) -> None:
        where, manifest, files = ray.get(content) if isinstance(content, ray.ObjectRef) else content
        self._bundle = Bundle.of_content(manifest, files, where, threads)

    def __call__(self, batch: Any) -> Any:
        answers = self._bundle.answers(self._asked(batch))
        rows = [json.dumps(answer.row(self._bundle.members)) for answer in answers]
        return {"row": np.array(rows, dtype=object)}

    def _asked(self, batch: Batch) -> Iterator[Any]:
        for number, (name, path) in enumerate(_pairs(batch)):
            content = batch["content"][number] if "content" in batch else b""
            reason = batch["reason"][number] if "reason" in batch else ""
            if content or reason:
                yield name, lambda found=content or reason: found
            else:
                yield name, Source(name, location(path)).read


def _pairs(batch: Batch) -> Iterator[tuple[str, str]]:
    return zip(map(str, batch["name"]), map(str, batch["path"]), strict=True)
