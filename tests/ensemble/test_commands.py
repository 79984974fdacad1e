"""The commands as people call them: in their own process, from their own folder."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from ensemble.blend.run import blend
from ensemble.store.oof import OofStore
from tests import ROOT
from tests.competitions import LINEAR, write_config
from tests.conftest import train_inline

Result = subprocess.CompletedProcess[str]


def ensemble(*arguments: object, cwd: Path, **environment: str) -> Result:
    """Run `python -m ensemble.VERB ...`."""
    verb, *rest = map(str, arguments)
    return subprocess.run(
        [sys.executable, "-m", "ensemble", verb, *rest],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


README = (ROOT / "README.md").read_text()
OWN_MEMBER = next(block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "Brightness" in block)
OWN_CONFIG = next(block for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "Brightness" in block)


def test_from_photographs_to_submission_with_a_member_of_ones_own(competition_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "my_member.py").write_text(OWN_MEMBER)
    (tmp_path / "mine.yaml").write_text(OWN_CONFIG)
    trained = ensemble("train", "mine.yaml", "--data", competition_folder, cwd=tmp_path)  # on Ray: workers find it too
    assert trained.returncode == 0, trained.stderr
    blended = ensemble("blend", "-o", "here.csv", cwd=tmp_path)
    assert blended.returncode == 0, blended.stderr
    assert "submission: here.csv" in blended.stdout
    sample = pd.read_csv(competition_folder / "submit.csv")
    assert pd.read_csv(tmp_path / "here.csv")["name"].tolist() == sample["name"].tolist()
    store = tmp_path / "oof" / "mine"
    assert (store / "blend" / "submit.csv").read_bytes() == (tmp_path / "here.csv").read_bytes()
    board = pd.read_csv(store / "leaderboard.csv")
    assert set(board["measured_on"]) == {"OOF", "nested OOF"}
    assert {"brightness", "boosted"} < set(board["member"])
    reported = ensemble("report", cwd=tmp_path)
    assert "brightness" in reported.stdout
    rebuilt = ensemble("blend", "--rebuild", store / "blend" / "blend.json", "-o", "again.csv", cwd=tmp_path)
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "here.csv").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train", "nowhere.yaml"], "nowhere.yaml"),
        (["train", "small.yaml", "--data", "nowhere"], "nowhere does not exist"),
        (["train", "small.yaml", "--data", ".", "--engine", "inline"], "should hold one archive"),
        (["train", "small.yaml", "--engine", "spark"], "ray or inline"),
        (["train", "small.yaml", "--members", "nobody"], "nobody is not in the config"),
        (["blend"], "no store under oof"),
        (["blend", "small.yaml"], "is no store"),
        (["report", "."], "is no store"),
    ],
)
def test_mistakes_are_one_sentence_and_exit_code_two(tmp_path: Path, arguments: list[str], expected: str) -> None:
    write_config(tmp_path / "small.yaml", LINEAR)
    result = ensemble(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert expected in result.stderr
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.rglob("*.csv"))


def test_a_failed_fold_is_exit_code_one(competition_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(OWN_MEMBER.replace("self.rate_ = y.mean()", "raise RuntimeError('no')"))
    config = write_config(tmp_path / "c.yaml", "\n  - name: bad\n    model: {use: bad.Brightness}\n")
    result = ensemble("train", config, "--data", competition_folder, "--engine", "inline", cwd=tmp_path)
    assert result.returncode == 1
    assert "bad/fold-0 FAILED: RuntimeError: no" in result.stdout


def test_the_console_script_has_the_same_verbs(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("ensemble")
    text = subprocess.run([script, "--help"], capture_output=True, text=True, check=True).stdout
    assert all(verb in text for verb in ("demo", "audit", "train", "blend", "report"))
    wrong = subprocess.run([script, "blend"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (wrong.returncode, "no store under oof" in wrong.stderr) == (2, True)


SLOW_MEMBER = """
  - name: slow
    model: {{use: tests.foreign.HighPass, mark: {mark}, seconds: {seconds}}}
"""


def start(config: Path, data: Path, folder: Path, engine: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ensemble.train", config, "--data", data, "--oof", folder / "oof", "--engine", engine],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # As at a terminal: a test run that was started in the background hands on that Ctrl-C is to be ignored.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )


def slow_config(folder: Path, seconds: float) -> tuple[Path, Path]:
    """A config whose slow member leaves a trace of every fit, and the folder of the traces."""
    mark = folder / "mark"
    mark.mkdir(parents=True)
    member = SLOW_MEMBER.format(mark=mark, seconds=seconds)
    return write_config(folder / "c.yaml", LINEAR, member, extra="folds: {n_folds: 5}"), mark


def submission(store: OofStore) -> bytes:
    blend(store)
    return (store.blend_folder / "submit.csv").read_bytes()


@pytest.fixture(scope="module")
def undisturbed(competition_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The submission of a run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("quiet")
    return submission(train_inline(slow_config(folder, 0)[0], competition_folder, folder / "oof"))


@pytest.mark.parametrize("engine", ["inline", "ray"])
def test_killed_halfway_and_started_again(
    competition_folder: Path, tmp_path: Path, undisturbed: bytes, engine: str
) -> None:
    """No finished fold is repeated, and the submission equals that of a quiet run."""
    config, mark = slow_config(tmp_path, 1)
    store = OofStore(tmp_path / "oof" / "small")

    def finished() -> int:
        return sum(store.record("slow", fold) is not None for fold in range(5))

    run = start(config, competition_folder, tmp_path, engine)
    while finished() < 2 and run.poll() is None:
        time.sleep(0.02)
    assert run.poll() is None, "the run was over before it could be killed"
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    time.sleep(3 if engine == "ray" else 0)  # orphaned workers of the killed Ray notice and end
    kept, traces = finished(), len(list(mark.iterdir()))
    assert 2 <= kept < 5
    again = start(config, competition_folder, tmp_path, engine)
    output = again.communicate(timeout=200)[0]
    assert again.returncode == 0, output
    assert len(list(mark.iterdir())) - traces == 5 - kept
    assert submission(store) == undisturbed


def test_ctrl_c_says_how_to_go_on(competition_folder: Path, tmp_path: Path) -> None:
    config, mark = slow_config(tmp_path, 60)
    run = start(config, competition_folder, tmp_path, "ray")
    while not list(mark.iterdir()) and run.poll() is None:
        time.sleep(0.1)
    begun = time.monotonic()
    os.kill(run.pid, signal.SIGINT)
    output = run.communicate(timeout=60)[0]
    assert run.returncode == 130
    assert "run the same command to continue" in output
    assert "Traceback" not in output
    assert time.monotonic() - begun < 20


def test_paths_with_spaces_and_umlauts(competition_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "Fotos für Müller"
    shutil.copytree(competition_folder, folder / "daten")
    config = write_config(folder / "klein.yaml", LINEAR)
    result = ensemble("train", config, "--data", folder / "daten", "--engine", "inline", cwd=folder)
    assert result.returncode == 0, result.stderr
    assert ensemble("blend", cwd=folder).returncode == 0
