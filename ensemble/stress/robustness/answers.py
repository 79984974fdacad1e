"""Stored answers about altered photographs: a file for each alteration and member, signed with all that made it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from ensemble.core.storage.files import Location, local_copy, new_file, write_text
from ensemble.core.storage.hashing import digest, file_sha256
from ensemble.core.storage.json_file import read_json
from ensemble.engine.recipes.code import versions
from ensemble.store.oof import OofStore
from ensemble.store.results import ROBUSTNESS
from ensemble.stress.robustness import alterations
from ensemble.stress.robustness.sample import Sample

_MADE_OF = b"made_of"  # in the file's metadata
_LIBRARIES = ("numpy", "scipy", "pillow")  # that alter photographs


@dataclass(frozen=True)
class InferenceFailure:
    """A member that could not be applied to an alteration; `size` is that of its photographs where it changed."""

    alteration: str
    member: str
    cause: str
    size: tuple[int, int] | None
    traceback: str = field(default="", repr=False)

    def sentence(self) -> str:
        """Return the failure in a sentence."""
        of = "" if self.size is None else f" ({self.size[0]} x {self.size[1]} pixels)"
        title = alterations.ALTERATIONS[self.alteration].title
        return f"{self.member} cannot be applied to {title}{of}: {self.cause}"


class Answers:
    """The files of one sample: logits of members, and columns of blenders that read some.

    Files of another sample, or made of anything else, do not count.
    """

    def __init__(self, store: OofStore, sample: Sample) -> None:
        self.folder: Location = store.root / ROBUSTNESS
        self.sample = sample
        code = file_sha256(Path(alterations.__file__))  # it imports nothing of ours but a constant
        self._altered_by = [code, {name: versions().get(name) for name in _LIBRARIES}, sample.signature]

    def signature(self, alteration: str, of: str) -> str:
        """Return the signature of a file about an alteration, made of what has the signature `of`."""
        return digest([*self._altered_by, alteration, of])

    def read(self, alteration: str, name: str, of: str) -> NDArray[np.float64] | None:
        """Return values (photographs,) or (photographs, columns) in the order of the sample; None where none count."""
        try:
            with local_copy(self._file(alteration, name)) as local:
                if (parquet.read_schema(local).metadata or {}).get(_MADE_OF) != self.signature(alteration, of).encode():
                    return None
                table = parquet.read_table(local, use_threads=False).to_pandas()
        except (OSError, pa.ArrowException):
            return None
        values: NDArray[np.float64] = table.drop(columns=["name", "fold", "label"]).to_numpy(np.float64)
        return values[:, 0] if "logit" in table else values

    def write(self, alteration: str, name: str, of: str, values: NDArray[np.floating]) -> None:
        """Store values: (photographs,) are logits."""
        sample = self.sample
        table = pd.DataFrame({"name": sample.names, "fold": sample.folds, "label": sample.labels})
        more = pd.DataFrame({"logit": values} if values.ndim == 1 else values)
        arrow = pa.Table.from_pandas(pd.concat([table, more.rename(columns=str)], axis=1), preserve_index=False)
        made_of = {_MADE_OF: self.signature(alteration, of).encode()}
        with new_file(self._file(alteration, name)) as temporary:
            parquet.write_table(arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), **made_of}), temporary)
        self._failure_file(alteration, name).unlink(missing_ok=True)

    def write_failure(self, failure: InferenceFailure, of: str) -> None:
        """Store why there are no answers. The next run tries again all the same: memory may have been short."""
        content = {"made_of": self.signature(failure.alteration, of), **asdict(failure)}
        write_text(self._failure_file(failure.alteration, failure.member), json.dumps(content, indent=1) + "\n")

    def read_failure(self, alteration: str, name: str, of: str) -> InferenceFailure | None:
        """Return a stored failure; None where there is none that counts."""
        try:
            content = read_json(self._failure_file(alteration, name), dict)
            made_of, size = content.pop("made_of"), content.pop("size")
            found = InferenceFailure(**content, size=tuple(size) if size else None)
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return found if made_of == self.signature(alteration, of) else None

    def _failure_file(self, alteration: str, name: str) -> Location:
        return self.folder / alteration / f"{name}.trouble.json"

    def _file(self, alteration: str, name: str) -> Location:
        return self.folder / alteration / f"{name}.parquet"
