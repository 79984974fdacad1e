"""Answers about many photographs from all nodes of a Ray cluster, or all cores of this machine, by Ray Data.

Photographs on this machine are read by its node, so that the others need no shared disk; those of an object store are
read where they are answered. Few are in memory at once, and what a lost node has not answered another one does.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import ray
import ray.data
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location, location
from ensemble.engine.ray_connection import check_a_node_has, connect
from ensemble.predict.bundle.files import BundleFiles
from ensemble.predict.bundle.manifest import parse_manifest
from ensemble.predict.output import Row
from ensemble.predict.photographs.sources import Source
from ensemble.predict.predictor import AT_ONCE, Bundle


def rows_on_ray(files: BundleFiles, sources: Sequence[Source], threads: int | None) -> Iterator[Row]:
    """Yield a row for each photograph, in order.

    Parameters
    ----------
    threads : int or None
        Threads, and cores that are reserved, for each copy of the models; default: one.

    Raises
    ------
    UserError
        Ray does not start, cannot be reached, or was lost.
    """
    cores = threads or 1
    with _connected():
        check_a_node_has(cores)
        content = ray.put((files.where, files.manifest.model_dump_json(), files.content()))
        items = [{"name": source.name, "path": _everywhere(source.path)} for source in sources]
        data: ray.data.Dataset = ray.data.from_items(items, override_num_blocks=-(-len(items) // AT_ONCE))
        if os.environ.get("RAY_ADDRESS"):
            here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
            data = data.map_batches(_read_here, batch_size=AT_ONCE, num_cpus=0.1, scheduling_strategy=here)
        answered = data.map_batches(
            _Answering,
            fn_constructor_args=(content, cores),
            batch_size=AT_ONCE,
            num_cpus=cores,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=None),
        )
        try:
            for row in answered.iter_rows():
                yield json.loads(row["row"])
        except RayError as error:
            reason = str(error).strip().splitlines()[-1:]
            raise UserError(
                f"Ray stopped ({' '.join(reason)}); run the same command again: with -o and a file on this "
                "machine it resumes"
            ) from None


def _everywhere(path: Location) -> str:
    """Return a path that means the same in other folders; nodes have their own."""
    return str(path.absolute()) if isinstance(path, Path) else str(path)


@contextmanager
def _connected() -> Iterator[None]:
    connect()
    try:
        context = ray.data.DataContext.get_current()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        yield
    finally:
        ray.shutdown()


def _read_here(batch: Any) -> Any:
    """Read the photographs that lie on this machine: columns of their bytes, and of reasons why not."""
    local = np.array(["://" not in path for _, path in _pairs(batch)])
    read = [Source(name, location(path)).read() if "://" not in path else "" for name, path in _pairs(batch)]
    content = np.array([each if isinstance(each, bytes) else b"" for each in read], dtype=object)
    reason = np.array([each if isinstance(each, str) else "" for each in read], dtype=object)
    return {**batch, "local": local, "content": content, "reason": reason}


class _Answering:
    """A copy of the models on a node."""

    def __init__(self, content: Any, threads: int) -> None:
        where, manifest, files = ray.get(content)
        self._bundle = Bundle(parse_manifest(manifest.encode(), where), files, where, threads)

    def __call__(self, batch: Any) -> Any:
        answers = self._bundle.answers(self._asked(batch))
        rows = [json.dumps(answer.row(self._bundle.members)) for answer in answers]
        return {"row": np.array(rows, dtype=object)}

    def _asked(self, batch: dict[str, Any]) -> Iterator[Any]:
        for number, (name, path) in enumerate(_pairs(batch)):
            if "local" in batch and batch["local"][number]:
                yield name, partial(_same, batch["reason"][number] or batch["content"][number])
            else:
                yield name, Source(name, location(path)).read


def _same(content: bytes | str) -> bytes | str:
    return content


def _pairs(batch: dict[str, Any]) -> Iterator[tuple[str, str]]:
    return zip(map(str, batch["name"]), map(str, batch["path"]), strict=True)
