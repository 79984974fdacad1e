"""What was answered already, a file for each alteration and member, signed with all that made it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from ensemble.core.storage.files import Location, local_copy, new_file, write_text
from ensemble.core.storage.hashing import digest
from ensemble.engine.recipes.code import code_version, versions
from ensemble.folds.ledger import FoldLedger
from ensemble.store.oof import OofStore
from ensemble.store.results import ROBUSTNESS
from ensemble.stress.robustness import alterations
from ensemble.stress.robustness.sample import sample_rows

_MADE_OF = b"made_of"  # in the file's metadata
_LIBRARIES = ("numpy", "scipy", "pillow")  # that alter photographs


@dataclass(frozen=True)
class Trouble:
    """A member that could not be asked about an alteration; `size` is that of its photographs where it is another."""

    alteration: str
    member: str
    cause: str
    size: tuple[int, int] | None
    traceback: str = field(default="", repr=False)

    def in_words(self) -> str:
        """A sentence."""
        of = "" if self.size is None else f" ({self.size[0]} x {self.size[1]} pixels)"
        return f"{self.member} cannot be asked about {alterations.ALTERATIONS[self.alteration].title}{of}: {self.cause}"


@dataclass(frozen=True)
class Sample:
    """The rows that are altered.

    Attributes
    ----------
    rows : intp (photographs,)
        Of the ledger, sorted.
    asked_for : int
        0 for all.
    """

    ledger: FoldLedger
    data_sha256: str
    rows: NDArray[np.intp]
    asked_for: int
    seed: int

    @classmethod
    def draw(cls, store: OofStore, photographs: int, seed: int = 0) -> Sample:
        """The sample of a store's training rows."""
        ledger = store.ledger()
        return cls(ledger, store.facts()["sha256"], sample_rows(ledger, photographs, seed), photographs, seed)

    @property
    def folds(self) -> NDArray[np.int64]:
        """int64 (photographs,)."""
        folds: NDArray[np.int64] = self.ledger.folds[self.rows]
        return folds

    @property
    def labels(self) -> NDArray[np.int64]:
        """int64 (photographs,)."""
        labels: NDArray[np.int64] = self.ledger.labels[self.rows]
        return labels

    @property
    def names(self) -> list[str]:
        """Of the photographs."""
        return list(self.ledger.table["name"].iloc[self.rows])

    @property
    def signature(self) -> str:
        """Changes with the data, the folds, and the rows."""
        return digest([self.data_sha256, self.ledger.sha256, self.rows.tolist()])


class Kept:
    """The files of one sample: logits of members, and columns of blenders that read some.

    Those of another sample, or made of anything else, do not count.
    """

    def __init__(self, store: OofStore, sample: Sample) -> None:
        self.folder: Location = store.root / ROBUSTNESS
        self.sample = sample
        code = code_version(f"{alterations.__name__}.ALTERATIONS")
        self._altered_by = [code, {name: versions().get(name) for name in _LIBRARIES}, sample.signature]

    def signature(self, alteration: str, of: str) -> str:
        """Of a file about an alteration, made of what has the signature `of`."""
        return digest([*self._altered_by, alteration, of])

    def read(self, alteration: str, name: str, of: str) -> NDArray[np.float64] | None:
        """Values (photographs,) or (photographs, columns) in the order of the sample; None where there are none."""
        try:
            with local_copy(self._file(alteration, name)) as local:
                if (parquet.read_schema(local).metadata or {}).get(_MADE_OF) != self.signature(alteration, of).encode():
                    return None
                table = parquet.read_table(local, use_threads=False).to_pandas()
        except (OSError, pa.ArrowException):
            return None
        values: NDArray[np.float64] = table.drop(columns=["name", "fold", "label"]).to_numpy(np.float64)
        return values[:, 0] if "logit" in table else values

    def note(self, trouble: Trouble, of: str) -> None:
        """Keep why there are no answers. The next run asks again all the same: room may have been short."""
        content = {"made_of": self.signature(trouble.alteration, of), **asdict(trouble)}
        write_text(self._note(trouble.alteration, trouble.member), json.dumps(content, indent=1) + "\n")

    def trouble(self, alteration: str, name: str, of: str) -> Trouble | None:
        """What was noted and still stands."""
        try:
            content = json.loads(self._note(alteration, name).read_text(encoding="utf-8"))
            made_of, size = content.pop("made_of"), content.pop("size")
            found = Trouble(**content, size=tuple(size) if size else None)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None
        return found if made_of == self.signature(alteration, of) else None

    def write(self, alteration: str, name: str, of: str, values: NDArray[np.floating]) -> None:
        """Keep values: (photographs,) are logits."""
        sample = self.sample
        table = pd.DataFrame({"name": sample.names, "fold": sample.folds, "label": sample.labels})
        more = pd.DataFrame({"logit": values} if values.ndim == 1 else values)
        arrow = pa.Table.from_pandas(pd.concat([table, more.rename(columns=str)], axis=1), preserve_index=False)
        made_of = {_MADE_OF: self.signature(alteration, of).encode()}
        with new_file(self._file(alteration, name)) as temporary:
            parquet.write_table(arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), **made_of}), temporary)
        self._note(alteration, name).unlink(missing_ok=True)

    def _note(self, alteration: str, name: str) -> Location:
        return self.folder / alteration / f"{name}.trouble.json"

    def _file(self, alteration: str, name: str) -> Location:
        return self.folder / alteration / f"{name}.parquet"
