"""`python -m tests.fuzz TARGET FOLDER [LIBFUZZER'S OPTIONS]`: feed a target what libFuzzer makes of its seeds.

FOLDER keeps inputs that reached new code; what fails is written to the folder of the call, and can be given again as
FOLDER. The targets are listed in `tests.fuzz.targets`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["ensemble", "zipfile", "tarfile", "csv", "yaml"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Run libFuzzer, which ends the process."""
    name, corpus = sys.argv[1:3]
    target = TARGETS[name]
    if Path(corpus).is_dir():
        for number, seed in enumerate(target.seeds()):
            (Path(corpus) / f"seed-{number}").write_bytes(seed)
    atheris.Setup([sys.argv[0], corpus, *sys.argv[3:]], target)
    atheris.Fuzz()


main()
