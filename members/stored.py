"""A fitted network in a folder: tensors and JSON. Nothing in it can run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import safetensors.torch
import torch

WEIGHTS_FILE: Final = "model.safetensors"
FACTS_FILE: Final = "classifier.json"


def write(folder: Path, state: dict[str, torch.Tensor], facts: dict[str, Any]) -> None:
    """Write both files, or neither if the facts cannot be stored as JSON."""
    text = json.dumps(facts, indent=2, default=_plain) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file(
        {name: value.cpu().contiguous() for name, value in state.items()}, folder / WEIGHTS_FILE
    )
    (folder / FACTS_FILE).write_text(text, encoding="utf-8")


def read(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read the tensors and the facts."""
    facts = json.loads((folder / FACTS_FILE).read_text(encoding="utf-8"))
    return safetensors.torch.load_file(folder / WEIGHTS_FILE), facts


def _plain(value: Any) -> Any:
    """Return a parameter as a JSON value; a random generator becomes None."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.random.RandomState):
        return None
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"a {type(value).__name__} cannot be stored as JSON")
