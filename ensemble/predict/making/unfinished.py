"""Answers about held-out photographs that an interrupted `ensemble bundle` has computed: the same command goes on."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ensemble.core.storage.files import new_file
from ensemble.core.storage.hashing import digest
from ensemble.predict.making.held_out import HeldOutAnswers
from ensemble.predict.making.variants import Variant


class UnfinishedAnswers:
    """A folder beside the bundle, with a file for each variant.

    Parameters
    ----------
    bundle : Path
        The bundle that is being made.
    made_from : list
        What the answers depend on, as JSON values; answers made from anything else are computed again.
    """

    def __init__(self, bundle: Path, made_from: Sequence[Any]) -> None:
        self.folder = bundle.with_name(f".{bundle.name}.unfinished")
        self._metadata = {"made_from": digest(list(made_from))}

    def read(self, variant: Variant) -> HeldOutAnswers | None:
        """Return the answers about a variant; None where there are none."""
        try:
            with safe_open(self._path(variant), "numpy") as file:
                if file.metadata() != self._metadata:
                    return None
                return HeldOutAnswers(variant, **{name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
        except (OSError, SafetensorError):
            return None

    def write(self, answers: HeldOutAnswers) -> None:
        """Store the answers about a variant."""
        arrays = {name: value for name, value in vars(answers).items() if name != "variant"}
        with new_file(self._path(answers.variant)) as temporary:
            save_file(arrays, temporary, self._metadata)

    def remove(self) -> None:
        """Remove the folder, once the bundle is written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, variant: Variant) -> Path:
        return self.folder / f"{variant.name}.safetensors"
