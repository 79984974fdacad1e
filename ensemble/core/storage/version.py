"""Format number of a store: one that a newer version wrote is refused and left unchanged."""

from __future__ import annotations

from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location
from ensemble.core.storage.json_file import read_json

# 1: a fold's record has the checksum of its predictions. 2: of every file of the fold, and of itself.
FORMAT = 2


def refuse_newer(root: Location) -> None:
    """Check the format number of the store in a folder; no number or no store is fine.

    Raises
    ------
    UserError
        A newer version wrote it.
    """
    try:
        found = read_json(root / "data.json", dict).get("format", 1)
    except (OSError, ValueError):  # reported when the facts are read
        return
    if not isinstance(found, int) or found > FORMAT:
        raise UserError(
            f"{root} is a store of format {found}, which a newer version wrote (this one knows {FORMAT}); "
            "update who-took-this-photo, or work in another --oof"
        )
