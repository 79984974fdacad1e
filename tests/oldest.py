"""`python -m tests.oldest`: constraints for pip that allow of each dependency the oldest version alone."""

from __future__ import annotations

import sys
import tomllib

from packaging.requirements import Requirement

from tests import ROOT


def constraints() -> list[str]:
    """Return `name==version` for each dependency that has a lower bound."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = map(Requirement, project["dependencies"])
    return [f"{each.name}=={bound.version}" for each in wanted for bound in each.specifier if bound.operator == ">="]


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in constraints())
