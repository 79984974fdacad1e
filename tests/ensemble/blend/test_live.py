"""The leaderboard and the blend while a run goes on."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pandas as pd
import pytest

from ensemble.blend.live import LiveBlend
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.storage.lock import only_writer
from ensemble.store.oof import OofStore
from tests.competitions import BOOSTED, LINEAR, write_config
from tests.conftest import train_inline

pytestmark = pytest.mark.training


@pytest.fixture
def store(trained: OofStore, tmp_path: Path) -> OofStore:
    return OofStore(Path(shutil.copytree(trained.root, tmp_path / "oof" / "small")))


def test_a_run_leaves_leaderboard_blend_and_submission(competition_folder: Path, tmp_path: Path) -> None:
    """Nobody has called blend yet."""
    config = write_config(tmp_path / "c.yaml", LINEAR, BOOSTED)
    store = train_inline(config, competition_folder, tmp_path / "oof")
    content = json.loads((store.blend_folder / "blend.json").read_text())
    assert content["members"] == ["linear", "boosted"]
    assert list(content["blenders"]) == ["mean", "single_best", "greedy"]
    assert len(pd.read_csv(store.blend_folder / "submit.csv")) == 12
    assert "nested OOF, choice repeated in each fold" in set(pd.read_csv(store.root / "leaderboard.csv")["measured_on"])


def test_after_each_fold_the_blend_is_of_the_folds_there_are(store: OofStore) -> None:
    live = LiveBlend(store, store.experiment(), ProgressBoard())
    folders = {fold: store.fold_folder("boosted", fold) for fold in range(3)}
    for fold, folder in folders.items():
        folder.rename(store.root / f"aside-{fold}")
    seen = []
    for fold, folder in folders.items():
        (store.root / f"aside-{fold}").rename(folder)
        live._took = 0.0  # so fast that it is never put off
        live.fold_stored()
        partial = json.loads((store.blend_folder / "blend.json").read_text())["partial"].get("boosted", "whole")
        board = pd.read_csv(store.root / "leaderboard.csv").set_index("member")
        seen.append((partial.partition(" folds")[0], board.loc["boosted", "measured_on"]))
    assert seen == [("1 of 3", "OOF, 1 of 3 folds"), ("2 of 3", "OOF, 2 of 3 folds"), ("whole", "OOF")]
    assert "blend so far: 0." in live.board.standing


def test_refreshing_takes_no_more_than_its_share_of_time(store: OofStore, monkeypatch: pytest.MonkeyPatch) -> None:
    live = LiveBlend(store, store.experiment(), ProgressBoard())
    times = []
    monkeypatch.setattr(LiveBlend, "_show", lambda self, content: times.append(1))
    for _ in range(5):
        live.fold_stored()
    assert len(times) == 1, "folds that come faster than the blend can be refreshed wait"
    live._took, live._ended = 1.0, time.monotonic() - 18
    live.fold_stored()
    assert len(times) == 1, "one second of nineteen is more than a twentieth"
    live._took, live._ended = 1.0, time.monotonic() - 20
    live.fold_stored()
    assert len(times) == 2
    live.fold_stored()
    live.refresh()
    assert len(times) == 3, "but at the end it is whole"
    live.refresh()
    assert len(times) == 3, "and without a new fold nothing is done"


def test_a_blend_at_work_or_a_fault_never_stops_the_training(
    store: OofStore, capsys: pytest.CaptureFixture[str]
) -> None:
    live = LiveBlend(store, store.experiment(), ProgressBoard())
    with only_writer(store.root, "blend"):
        live.fold_stored()
    assert "the blend was not refreshed: another process is writing" in capsys.readouterr().out
    shutil.rmtree(store.root / "members")
    live._took = 0.0
    live.fold_stored()
    assert "no member has a finished fold" in capsys.readouterr().out


def test_a_refresh_that_failed_is_made_up_for(store: OofStore) -> None:
    shutil.rmtree(store.blend_folder, ignore_errors=True)
    live = LiveBlend(store, store.experiment(), ProgressBoard())
    with only_writer(store.root, "blend"):
        live.fold_stored()
    assert not (store.blend_folder / "blend.json").exists()
    live.refresh()
    assert (store.blend_folder / "blend.json").exists()


def test_members_of_which_few_help_are_selected_meanwhile_too(store: OofStore) -> None:
    experiment = store.experiment()
    settings = experiment.blend.model_copy(update={"methods": ("forward",)})
    LiveBlend(store, experiment.model_copy(update={"blend": settings}), ProgressBoard()).fold_stored()
    assert list(json.loads((store.blend_folder / "blend.json").read_text())["blenders"]) == ["forward"]
