"""The commands as people call them: in their own process, from their own folder."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ensemble.blend.run import blend
from ensemble.cli import VERBS
from ensemble.store.oof import OofStore
from tests import ROOT
from tests.commands import run_here
from tests.competitions import LINEAR, write_config
from tests.conftest import train_inline
from tests.ensemble.training.test_train import foreign
from tests.fire import DRIVER_KILLED, Run, alive, finished, traces, until

README = (ROOT / "README.md").read_text()
OWN_MEMBER = next(block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "Brightness" in block)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train", "nowhere.yaml"], "nowhere.yaml"),
        (["train", "small.yaml", "--data", "nowhere"], "nowhere does not exist"),
        (
            ["train", "small.yaml", "--data", ".", "--engine", "inline"],
            "found no folder of training and test photographs",
        ),
        (["train", "small.yaml", "--engine", "spark"], "ray or inline"),
        (["train", "small.yaml", "--members", "nobody"], "not in the config: nobody"),
        (["blend"], "no store under oof"),
        (["blend", "small.yaml"], "is not a store"),
        (["report", "."], "is not a store"),
    ],
)
def test_mistakes_are_one_sentence_and_exit_code_two(tmp_path: Path, arguments: list[str], expected: str) -> None:
    write_config(tmp_path / "small.yaml", LINEAR)
    result = run_here(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert expected in result.stderr
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.rglob("*.csv"))


@pytest.mark.training
def test_a_failed_fold_is_exit_code_one(competition_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(OWN_MEMBER.replace("self.rate_ = y.mean()", "raise RuntimeError('no')"))
    config = write_config(tmp_path / "c.yaml", "\n  - name: bad\n    model: {use: bad.Brightness}\n")
    result = run_here("train", config, "--data", competition_folder, "--engine", "inline", cwd=tmp_path)
    assert result.returncode == 1
    assert "bad/fold-0 FAILED: RuntimeError: no" in result.stdout


@pytest.mark.process
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_one_of_the_console_script(verb: str) -> None:
    script = Path(sys.executable).with_name("ensemble")
    said = subprocess.run([script, verb, "--help"], capture_output=True, text=True, check=True).stdout
    assert f"Usage: ensemble {verb}" in said


@pytest.mark.process
def test_the_console_script_ends_with_the_code_of_a_mistake(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("ensemble")
    wrong = subprocess.run([script, "blend"], cwd=tmp_path, capture_output=True, text=True, check=False)
    sentence = "there is no store under oof; run ensemble train first, or name another folder with --oof\n"
    assert (wrong.returncode, wrong.stderr) == (2, sentence)


def slow_config(folder: Path, seconds: float) -> tuple[Path, Path]:
    """A config whose slow member leaves a trace of every fit, and the folder of the traces."""
    mark = folder / "mark"
    mark.mkdir(parents=True)
    slow = foreign("slow", "HighPass", mark=mark, seconds=seconds)
    return write_config(folder / "c.yaml", LINEAR, slow, extra="folds: {n_folds: 5}"), mark


def submission(store: OofStore) -> bytes:
    blend(store)
    return (store.blend_folder / "submit.csv").read_bytes()


@pytest.fixture(scope="module")
def undisturbed(competition_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The submission of a run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("quiet")
    return submission(train_inline(slow_config(folder, 0)[0], competition_folder, folder / "oof"))


@pytest.mark.process
@pytest.mark.fault(DRIVER_KILLED)
@pytest.mark.parametrize("engine", ["inline", pytest.param("ray", marks=[pytest.mark.ray, pytest.mark.slow])])
def test_killed_halfway_and_started_again(
    competition_folder: Path, tmp_path: Path, undisturbed: bytes, engine: str
) -> None:
    """No finished fold is repeated, and the submission equals that of a quiet run."""
    config, mark = slow_config(tmp_path, 1)
    store = OofStore(tmp_path / "oof" / "small")

    def slow_folds() -> int:
        return sum(title.startswith("slow/") for title in finished(store))

    run = Run(config, competition_folder, tmp_path / "oof", engine)
    until(lambda: slow_folds() >= 2, run)
    os.killpg(run.process.pid, signal.SIGKILL)
    run.end()
    until(lambda: engine == "inline" or not any(alive(pid) for fold in range(5) for pid in traces(mark, fold)))
    kept, fits = slow_folds(), len(list(mark.iterdir()))
    assert 2 <= kept < 5
    code, said = Run(config, competition_folder, tmp_path / "oof", engine).end()
    assert code == 0, said
    assert len(list(mark.iterdir())) - fits == 5 - kept
    assert submission(store) == undisturbed


@pytest.mark.training
def test_paths_with_spaces_and_umlauts(competition_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "Fotos für Müller"
    shutil.copytree(competition_folder, folder / "daten")
    config = write_config(folder / "klein.yaml", LINEAR)
    result = run_here("train", config, "--data", folder / "daten", "--engine", "inline", cwd=folder)
    assert result.returncode == 0, result.stderr
    assert run_here("blend", cwd=folder).returncode == 0


@pytest.mark.training
def test_names_that_are_not_utf8(competition_folder: Path, tmp_path: Path) -> None:
    """As old archives have them: the table says how they are to be read."""
    shutil.copytree(competition_folder, tmp_path / "data")
    (tmp_path / "data" / "test" / "00000.png").rename(tmp_path / "data" / "test" / os.fsdecode(b"M\xfcller.png"))
    sample = tmp_path / "data" / "submit.csv"
    sample.write_text(sample.read_text().replace("00000.png", "Müller.png"))
    write_config(tmp_path / "c.yaml", LINEAR)
    for command in (("train", "c.yaml", "--engine", "inline"), ("blend", "c.yaml"), ("report", "c.yaml")):
        found = run_here(*command, cwd=tmp_path)
        assert found.returncode == 0, found.stderr
    assert "Müller.png," in (tmp_path / "oof" / "small" / "blend" / "submit.csv").read_text()
