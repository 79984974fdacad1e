"""How pytest-xdist shares the tests out: by file, so that what a file prepares is prepared once."""

from __future__ import annotations

from pathlib import PurePath

from xdist.scheduler import LoadFileScheduling

APART = frozenset({"test_fire.py", "test_fire_cluster.py", "test_commands.py"})  # long tests that have little in common


class ByFile(LoadFileScheduling):  # type: ignore[misc]
    """Whole files, but that tests of some files go wherever there is time."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return nodeid if PurePath(file).name in APART else file
