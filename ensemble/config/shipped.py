"""Configs that come with the package: `demo` and `configs/demo.yaml` are known where there is no such file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ensemble.core.storage.files import Location

_PACKAGE: Final = Path(__file__).parents[1]
_INSTALLED: Final = _PACKAGE / "configs"  # where the wheel has them
SHIPPED: Final = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.with_name("configs")


def find_config(named: Location) -> Location:
    """Return the file of a config: the one that was named if it exists, else the shipped one of that name."""
    shipped = SHIPPED / f"{named.stem}.yaml"
    may_be_shipped = str(named.parent) in (".", "configs") and named.suffix in ("", ".yaml") and shipped.exists()
    return shipped if may_be_shipped and not named.exists() else named


def known_configs() -> list[str]:
    """Return the names of the shipped configs."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))
