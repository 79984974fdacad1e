"""Whatever a member does, it costs its own fold at most, and the screen and the files stay readable."""

from __future__ import annotations

from pathlib import Path

import pytest

from ensemble.core.console.text import LINE, plain, sentence
from ensemble.store.oof import OofStore
from tests.competitions import write_config
from tests.ensemble.training.test_train import foreign
from tests.fire import Run, alive, finished

COSTS = {
    "surrogate": "ValueError: no such file: b\\udcffd.png",
    "escapes": "ValueError: \\x1b[2Jlonglong",
    "base": "OwnError: no Exception",
    "no_text": "NoText",
}
HARMLESS = ("moves", "closes", "reports")


@pytest.mark.fault("a member raises, leaves, hangs, or predicts nonsense", tries=6)
@pytest.mark.process
@pytest.mark.parametrize("engine", ["inline", pytest.param("ray", marks=[pytest.mark.ray, pytest.mark.slow])])
def test_odd_members(engine: str, competition_folder: Path, tmp_path: Path) -> None:
    odd = [foreign(what, "Odd", what=what) for what in (*COSTS, *HARMLESS)]
    config = write_config(tmp_path / "c.yaml", *odd, foreign("other", "HighPass"))
    code, said = Run(config, competition_folder, tmp_path / "oof", engine).end()
    assert code == 1, said
    assert "Traceback" not in said
    for what, cause in COSTS.items():
        (line,) = [line for line in said.splitlines() if f"{what}/fold-1 FAILED" in line]
        assert cause in line
        assert len(line) < 2 * LINE
    lost = {f"{what}/fold-1" for what in COSTS}
    found = finished(OofStore(tmp_path / "oof" / "small"))
    assert set(found) == {f"{m}/fold-{f}" for m in (*COSTS, *HARMLESS, "other") for f in range(3)} - lost


@pytest.mark.process
@pytest.mark.parametrize("engine", ["inline", pytest.param("ray", marks=[pytest.mark.ray, pytest.mark.slow])])
def test_a_child_of_a_fold_that_takes_too_long_ends_with_it(
    engine: str, competition_folder: Path, tmp_path: Path
) -> None:
    config = write_config(tmp_path / "c.yaml", foreign("hangs", "Odd", what="hangs_with_a_child", mark=str(tmp_path)))
    code, said = Run(config, competition_folder, tmp_path / "oof", engine, "--timeout", "3s").end()
    assert code == 1, said
    assert "it ran longer than --timeout allows" in said
    assert not alive(int((tmp_path / "child").read_text()))


def test_plain_text() -> None:
    assert plain("a\tb\nä\x1b[0m\udcff\x00") == "a\tb\nä\\x1b[0m\\udcff\\x00"
    assert sentence("first\nsecond") == "first"
    assert len(sentence("x" * 10**7)) == LINE + 3
