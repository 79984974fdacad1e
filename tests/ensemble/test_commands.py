"""The commands as people call them: in their own process, from their own folder."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from ensemble.oof import OofStore
from tests.competitions import LINEAR, write_config

Result = subprocess.CompletedProcess[str]


def ensemble(*arguments: object, cwd: Path, **environment: str) -> Result:
    """Run `python -m ensemble.VERB ...`."""
    verb, *rest = map(str, arguments)
    return subprocess.run(
        [sys.executable, "-m", f"ensemble.{verb}", *rest],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


ROOT = Path(__file__).parents[2]
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
    assert all(verb in text for verb in ("demo", "train", "blend", "report"))
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
    )


@pytest.mark.parametrize("engine", ["inline", "ray"])
def test_killed_halfway_and_started_again(competition_folder: Path, tmp_path: Path, engine: str) -> None:
    """No finished fold is repeated, and the submission equals that of a quiet run."""
    submissions = []
    for quiet in (True, False):
        folder = tmp_path / ("quiet" if quiet else "killed")
        mark = folder / "mark"
        mark.mkdir(parents=True)
        # The same recipe, mark and all, in both: predictions must not depend on it, but hashes would.
        config = write_config(
            folder / "c.yaml", LINEAR, SLOW_MEMBER.format(mark=mark, seconds=1), extra="folds: {n_folds: 5}"
        )
        store = OofStore(folder / "oof" / "small")
        finished: set[int] = set()
        if not quiet:
            run = start(config, competition_folder, folder, engine)
            while len(finished) < 2 and run.poll() is None:
                finished = {fold for fold in range(5) if store.record("slow", fold) is not None}
                time.sleep(0.02)
            assert run.poll() is None, "the run was over before it could be killed"
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
            finished = {fold for fold in range(5) if store.record("slow", fold) is not None}
            assert len(finished) < 5
            time.sleep(3 if engine == "ray" else 0)  # orphaned workers of the killed Ray notice and end
            traces_before = len(list(mark.iterdir()))
        result = start(config, competition_folder, folder, engine)
        output = result.communicate(timeout=200)[0]
        assert result.returncode == 0, output
        if not quiet:
            again = len(list(mark.iterdir())) - traces_before
            assert again == 5 - len(finished)
        assert ensemble("blend", "--oof", folder / "oof", cwd=ROOT).returncode == 0
        submissions.append((store.root / "blend" / "submit.csv").read_bytes())
    assert submissions[0] == submissions[1]


def test_ctrl_c_says_how_to_go_on(competition_folder: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    mark.mkdir()
    config = write_config(tmp_path / "c.yaml", SLOW_MEMBER.format(mark=mark, seconds=60))
    run = start(config, competition_folder, tmp_path, "ray")
    while not list(mark.iterdir()) and run.poll() is None:
        time.sleep(0.1)
    begun = time.monotonic()
    os.kill(run.pid, signal.SIGINT)
    output = run.communicate(timeout=60)[0]
    assert run.returncode == 130
    assert "run the same command to go on" in output
    assert "Traceback" not in output
    assert time.monotonic() - begun < 20


def test_paths_with_spaces_and_umlauts(competition_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "Fotos für Müller"
    shutil.copytree(competition_folder, folder / "daten")
    config = write_config(folder / "klein.yaml", LINEAR)
    result = ensemble("train", config, "--data", folder / "daten", "--engine", "inline", cwd=folder)
    assert result.returncode == 0, result.stderr
    assert ensemble("blend", cwd=folder).returncode == 0
