"""Hundreds of mistakes: each is refused in one plain sentence and leaves everything as it was, or is accepted."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ensemble.core.errors import UserError
from ensemble.predict.bundle.manifest import MANIFEST
from ensemble.predict.predictor import load_bundle
from tests.bad_input import archives, bundles, configs, photographs, stores, tables
from tests.bad_input.cases import Case, changed, check, contents, is_plain
from tests.commands import run_here
from tests.competitions import BOOSTED, LINEAR, photograph, write_competition, write_config
from tests.shared import built_once

pytestmark = pytest.mark.training
OF_DATA = [*tables.cases(), *photographs.cases(), *archives.cases()]
EDITS: dict[str, dict[str, Any]] = defaultdict(dict)  # of bundle.json, by its key
for edit, manifest in bundles.edits():
    EDITS[edit.removeprefix("without ").split()[0].partition(".")[0]][edit] = manifest


@pytest.mark.parametrize("case", OF_DATA, ids=lambda case: case.name)
def test_data(case: Case, tmp_path: Path) -> None:
    folder = changed(case, tmp_path)
    check(run_here("folds", "cut", "c.yaml", "--data", "data", cwd=folder), case.said)
    if case.said:
        assert not contents(folder / "oof")


@pytest.mark.parametrize("case", list(configs.cases()), ids=lambda case: case.name)
def test_configs(case: Case, tmp_path: Path) -> None:
    folder = changed(case, tmp_path)
    check(run_here("train", "c.yaml", "--data", "data", "--engine", "inline", cwd=folder), case.said)
    if case.said:
        assert not contents(folder / "oof")


@pytest.fixture(scope="module")
def blended() -> Path:
    """A folder with a store that is trained and blended. Read only."""

    def build(folder: Path) -> None:
        write_competition(folder / "data")
        config = write_config(folder / "small.yaml", LINEAR)
        config.write_text(config.read_text().replace("{trials: 10}", "{methods: [mean]}"))
        for command in ("train", "blend"):
            options = ("--data", "data", "--engine", "inline") if command == "train" else ()
            assert run_here(command, "small.yaml", *options, cwd=folder).returncode == 0

    return built_once("blended", build)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "file", "change"), [pytest.param(*each, id=each[0]) for each in stores.changes()])
def test_stores(name: str, file: str, change: Callable[[Path], object], blended: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(blended, tmp_path, dirs_exist_ok=True))
    change(folder / "oof" / "small" / file)
    for command in (("blend", "small.yaml"), ("report", "small.yaml"), ("folds", "export", "oof/small")):
        found = run_here(*command, cwd=folder)
        assert found.returncode in (0, 2), found.stderr
        assert found.returncode == 0 or is_plain(found.stderr)
    trained = run_here("train", "small.yaml", "--data", "data", "--engine", "inline", cwd=folder)
    if trained.returncode == 2:  # it was written by a newer version
        assert is_plain(trained.stderr)
        return
    assert trained.returncode == 0, trained.stderr
    again = run_here("blend", "small.yaml", cwd=folder)
    assert again.returncode == 0 or (file in ("report.html", "leaderboard.csv") and is_plain(again.stderr)), (
        again.stderr
    )
    fresh = (blended / "oof" / "small" / "blend" / "submit.csv").read_bytes()
    assert (folder / "oof" / "small" / "blend" / "submit.csv").read_bytes() == fresh


@pytest.fixture(scope="module")
def grown() -> Path:
    """A folder with a store of which every command has written something. Read only."""

    def build(folder: Path) -> None:
        write_competition(folder / "data")
        space = "    tune: {model.steps.1.1.C: {low: 1e-4, high: 100, log: true}}\n"
        config = write_config(folder / "small.yaml", LINEAR + space)
        config.write_text(config.read_text().replace("{trials: 10}", "{methods: [mean]}"))
        write_config(folder / "portfolio.yaml", BOOSTED, name="portfolio")
        assert run_here("train", "small.yaml", "--data", "data", "--engine", "inline", cwd=folder).returncode == 0
        assert run_here("blend", "small.yaml", cwd=folder).returncode == 0
        for command in ("robustness", "generators", "tune", "grow", "report"):
            found = run_here(*stores.COMMANDS[command], cwd=folder)
            assert found.returncode == 0, found.stderr

    return built_once("grown", build)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "command", "file", "change"), [pytest.param(*each, id=each[0]) for each in stores.changes_read_by_others()]
)
def test_what_only_some_commands_read(
    name: str, command: str, file: str, change: Callable[[Path], object], grown: Path, tmp_path: Path
) -> None:
    """It is computed again, or refused in a plain sentence; the submission stays, and the report can be made."""
    folder = Path(shutil.copytree(grown, tmp_path, dirs_exist_ok=True))
    submission = folder / "oof" / "small" / "blend" / "submit.csv"
    before = submission.read_bytes()
    change(folder / "oof" / "small" / file)
    for words in (stores.COMMANDS["report"], stores.COMMANDS[command], stores.COMMANDS["report"]):
        found = run_here(*words, cwd=folder)
        assert found.returncode in (0, 2), found.stderr
        assert found.returncode == 0 or is_plain(found.stderr), found.stderr
        assert found.returncode == 0 or words != stores.COMMANDS["report"] or file == "leaderboard.md"
    assert submission.read_bytes() == before


def refusal(bundle: Path) -> str:
    """Return the sentence with which a bundle is refused; empty if it answers."""
    try:
        (answer,) = load_bundle(bundle, threads=1).predict([photograph(900, fake=True)])
    except UserError as error:
        return str(error)
    assert answer.verdict
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("key", EDITS)
def test_an_edited_manifest_is_read_or_refused(key: str, tmp_path: Path) -> None:
    bundle, refused = bundles.unpack(tmp_path), 0
    for name, whole in EDITS[key].items():
        (bundle / MANIFEST).write_text(json.dumps(whole))
        try:
            said = refusal(bundle)
        except Exception as error:
            raise AssertionError(name) from error
        refused += bool(said)
        assert not said or (is_plain(said) and bundles.BUNDLE in said), f"{name}: {said}"
    assert refused


@pytest.mark.parametrize(("name", "file", "change", "forged"), [pytest.param(*c, id=c[0]) for c in bundles.damages()])
def test_a_damaged_file_of_a_bundle_is_noticed(
    name: str, file: str, change: Callable[[bytes], bytes], forged: bool, tmp_path: Path
) -> None:
    """One whose hash was forged too is refused if it cannot be read: a bundle is not signed."""
    bundle = bundles.unpack(tmp_path)
    bundles.damage(bundle, file, change, forged)
    said = refusal(bundle)
    assert (is_plain(said) and bundles.BUNDLE in said) if said else forged
