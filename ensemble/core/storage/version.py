"""The number that a store bears: one that a newer version wrote is refused whole, and left as it is."""

from __future__ import annotations

import json

from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location

# 1: a fold's record knows the checksum of its predictions. 2: of every file of the fold, and of itself.
FORMAT = 2


def refuse_newer(root: Location) -> None:
    """Look at the number of the store in a folder; none, or no store, is fine.

    Raises
    ------
    UserError
        A newer version wrote it.
    """
    try:
        found = json.loads((root / "data.json").read_text(encoding="utf-8")).get("format", 1)
    except (
        OSError,
        ValueError,
        AttributeError,
        RecursionError,
    ):  # none that can be read: others tell
        return
    if not isinstance(found, int) or found > FORMAT:
        raise UserError(
            f"{root} is a store of format {found}, which a newer version wrote (this one knows {FORMAT}); "
            "update who-took-this-photo, or work in another --oof"
        )
