"""Asking a bundle: size, time to the first verdict, photographs a second beside the bare models, memory.

`make bench NAME=predict`, a quarter of an hour on two cores. It trains `configs/cpu.yaml` on a synthetic competition.
The rival is the sum of the parts of the same bundle, called on the same decoded photographs in the same process.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from ensemble.core.threads import threads
from ensemble.predict.bundle.files import BundleFiles
from ensemble.predict.bundled_ensemble import BundledEnsemble
from ensemble.predict.photographs.decoding import Photograph, decode
from ensemble.predict.predictor import AT_ONCE, load_bundle

CONFIG = "configs/cpu.yaml"
CORES = psutil.cpu_count() or 1
ROUNDS, PHOTOGRAPHS = 3, 192
FEW, MANY = 2_000, 20_000
GOALS = {
    "share_of_bare": (0.9, ">="),
    "megabytes": (60.0, "<="),
    "first_verdict_seconds": (5.0, "<="),
    "memory_growth_inline": (1.1, "<="),
    "memory_growth_ray": (1.1, "<="),
}


def run(*arguments: object) -> None:
    """Run `python -m ensemble...`."""
    subprocess.run([sys.executable, "-m", "ensemble", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def bundle_of(folder: Path, members: str) -> Path:
    """Train some members of the config, and make a bundle."""
    oof = folder / members.replace(",", "-")
    run("train", CONFIG, "--data", folder / "data", "--oof", oof, "--members", members)
    run("blend", CONFIG, "--oof", oof)
    run("bundle", oof / "cpu", "-o", oof / "cpu.bundle", "--photographs", 24)
    return oof / "cpu.bundle"


def speeds(path: Path, encoded: list[bytes]) -> dict[str, float]:
    """Return photographs a second of the whole and of the parts alone, the best of several rounds each."""
    bundle, files = load_bundle(path, CORES), BundleFiles(path)
    parts = BundledEnsemble(files.manifest, files.content(), str(path), CORES)
    pixels = np.stack([photograph.pixels for photograph in map(decode, encoded) if isinstance(photograph, Photograph)])
    whole, bare = [], []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        assert len(bundle.predict(encoded)) == len(encoded)
        whole.append(len(encoded) / (time.perf_counter() - begun))
        begun = time.perf_counter()
        with threads(CORES):
            for start in range(0, len(pixels), AT_ONCE):
                some = pixels[start : start + AT_ONCE]
                parts.members(some, parts.tables(some))
        bare.append(len(pixels) / (time.perf_counter() - begun))
    return {"photographs_per_second": max(whole), "bare": max(bare), "share_of_bare": max(whole) / max(bare)}


def peak_gib(*arguments: object) -> float:
    """Return the largest memory of a command and its children together, shared pages counted once."""
    process = psutil.Popen([sys.executable, "-m", "ensemble", *map(str, arguments)], stdout=subprocess.DEVNULL)
    largest = 0
    while process.poll() is None:
        with suppress(psutil.Error):
            largest = max(largest, sum(map(_own, [process, *process.children(recursive=True)])))
        time.sleep(0.3)
    assert process.wait() == 0
    return largest / 2**30


def _own(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        return int(process.memory_full_info().pss)
    return 0


def listed(folder: Path, photographs: list[Path], count: int) -> Path:
    """Write a list of so many photographs, each several times."""
    path = folder / f"{count}.txt"
    path.write_text("\n".join(str(photographs[number % len(photographs)]) for number in range(count)))
    return path


def print_report(figures: dict[str, Any], goals: dict[str, tuple[float, str]]) -> None:
    """Print a line for each figure, and all as JSON."""
    report = {}
    for name, value in figures.items():
        goal, sign = goals.get(name, (None, ""))
        met = goal is None or (value >= goal if sign == ">=" else value <= goal)
        report[name] = {"value": float(value), "goal": goal, "met": bool(met)}
        print(f"{name:32} {value:10.3f}   {sign} {goal if goal is not None else '-'}")  # noqa: T201
    print(json.dumps({"figures": report, "absent": []}))  # noqa: T201


def main() -> None:
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run("demo", folder / "data", "--train", 240, "--test", 200)
        shutil.unpack_archive(folder / "data" / "data256faces.tar.gz", folder / "photographs", filter="data")
        photographs = sorted((folder / "photographs").rglob("test/*.*"))
        path = bundle_of(folder, "lite1_at_384,lite2_at_512,boosted_forensics")
        figures["megabytes"] = sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) / 1e6
        begun = time.perf_counter()
        run("predict", path, photographs[0], "-o", folder / "one.csv")
        figures["first_verdict_seconds"] = time.perf_counter() - begun
        figures |= speeds(path, [each.read_bytes() for each in photographs[:PHOTOGRAPHS]])
        cheap = bundle_of(folder, "boosted_forensics")
        for engine in ("inline", "ray"):
            peaks = [
                peak_gib(
                    "predict", cheap, listed(folder, photographs, count), "-o", folder / "a.csv", "--engine", engine
                )
                for count in (FEW, MANY)
            ]
            figures |= {f"gib_{engine}_{FEW}": peaks[0], f"gib_{engine}_{MANY}": peaks[1]}
            figures[f"memory_growth_{engine}"] = peaks[1] / peaks[0]
    print_report(figures, GOALS)


if __name__ == "__main__":
    main()
