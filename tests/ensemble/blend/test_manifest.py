"""What blend.json says: the comparison with the best member, the prior, whose worth and whose score it is."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ensemble.blend.compare import _recipes
from ensemble.blend.evaluation.prior import PriorShift
from ensemble.blend.guard import guard
from ensemble.blend.manifest import rebuild
from ensemble.blend.run import blend
from ensemble.competition.rows import SampleTable
from ensemble.config.experiment import Experiment
from ensemble.core.storage.lock import only_writer
from ensemble.store.oof import OofStore
from ensemble.store.predictions import load_predictions
from tests.benchmarks.blend.worlds import write_store
from tests.commands import run_here


@pytest.fixture
def store(trained: OofStore, tmp_path: Path) -> OofStore:
    return OofStore(Path(shutil.copytree(trained.root, tmp_path / "small")))


def blending(experiment: Experiment, **settings: object) -> Experiment:
    """Return the experiment with other settings of its blend."""
    return experiment.model_copy(update={"blend": experiment.blend.model_copy(update=settings)})


def test_blenders_are_compared_with_the_best_member(tmp_path: Path) -> None:
    store = write_store(tmp_path / "oof" / "rivals", 3, 2000, 100, blend="{methods: [mean]}")
    predictions = load_predictions(store)
    right = ((predictions.oof_logits >= 0) == (predictions.ledger.labels == 1)[:, None]).mean(axis=0)
    content = blend(store)
    best, summary = content["best_member"], content["blenders"]["mean"]
    assert best["name"] == predictions.members[int(right.argmax())]
    assert best["accuracy"] == pytest.approx(right.max())
    flips = summary["against"][best["name"]]
    net = round(2000 * (summary["nested"]["accuracy"] - best["accuracy"]))
    assert net != 0
    assert flips["gained"] - flips["lost"] == net


@pytest.mark.parametrize(
    ("asked", "words"), [(True, "the test logits are corrected for it"), (False, "--correct-prior corrects for it")]
)
def test_it_says_whether_the_share_was_corrected_for(
    store: OofStore, monkeypatch: pytest.MonkeyPatch, asked: bool, words: str
) -> None:
    monkeypatch.setattr("ensemble.blend.compare._prior", lambda *_: (PriorShift(0.5, 0.2, 0.2, 0.01), -1.25))
    content = blend(store, blending(store.experiment(), methods=("mean",), correct_prior=asked))
    assert content["prior"]["in_words"].endswith(words)
    assert content["added_logit"] == (-1.25 if asked else 0)


@pytest.mark.parametrize("title", ["mean", "greedy"])
def test_members_are_worth_what_they_are_to_the_kind_that_was_chosen(store: OofStore, title: str) -> None:
    content = blend(store, blending(store.experiment(), methods=(title,)))
    assert content["worth"]["blender"] == content["chosen"] == title


def test_a_member_outside_the_blend_does_not_stop_a_rebuild(store: OofStore, tmp_path: Path) -> None:
    experiment = blending(store.experiment(), methods=("mean",))
    blend(store, experiment.model_copy(update={"members": experiment.members[:1]}))
    rebuild(store.blend_folder / "blend.json", store, tmp_path / "again.csv")  # the store's experiment has both
    assert (tmp_path / "again.csv").read_bytes() == (store.blend_folder / "submit.csv").read_bytes()


def test_recipes_are_those_of_the_member_and_the_score_is_that_of_the_chosen(tmp_path: Path) -> None:
    def record(title: str, *, elsewhere: bool = False) -> SimpleNamespace:
        return SimpleNamespace(trained_elsewhere=elsewhere, provenance=SimpleNamespace(recipe={"model": title}))

    records = {"ab/fold-0": record("ab"), "a/fold-0": record("a"), "c/fold-0": record("c", elsewhere=True)}
    inputs = SimpleNamespace(members=["a", "ab", "c"], predictions=SimpleNamespace(records=records))
    assert _recipes(inputs) == [{"model": "a"}, {"model": "ab"}, None]
    content = blend(write_store(tmp_path / "oof" / "one", 3, 500, 50, blend="{methods: [nonnegative_logistic]}"))
    summary = content["blenders"]["nonnegative_logistic"]
    assert content["nested_of_the_chosen"] == summary["nested"] != summary["in_sample"]


def test_the_guard_compares_by_name_and_counts_one_half_as_fake(tmp_path: Path) -> None:
    sample, last = SampleTable(list("abc"), [], "name", "pred", ["name", "pred"]), tmp_path / "last.csv"
    here = (sample, np.array([0.9, 0.4, 0.5]), np.array([-0.2, 0.0, 0.3, 4.0]), last)
    last.write_text("name,pred\nc,0.5\nb,0.9\nz,0.9\n")
    found = guard(*here)
    assert (found.flips, found.compared) == (1, 2)
    assert found.fake_share_oof == 0.75
    assert found.fake_share_test == pytest.approx(2 / 3)
    last.write_text("name,pred\nz,0.9\n")
    assert guard(*here).flips is None


def test_the_guard_leaves_rows_without_a_photograph_out(tmp_path: Path) -> None:
    """In the submission they have the training share, whatever members said of the picture in their place."""
    sample = SampleTable(list("abc"), [], "name", "pred", ["name", "pred"], fixed={"c": 0.3})
    (tmp_path / "last.csv").write_text("name,pred\na,0.9\nb,0.4\nc,0.3\n")
    found = guard(sample, np.array([0.9, 0.4, 0.8]), np.array([-1.0, 1.0]), tmp_path / "last.csv")
    assert (found.flips, found.compared, found.fake_share_test) == (0, 2, 0.5)


@pytest.mark.parametrize("words", [["."], ["--rebuild", "blend/blend.json"]])
def test_from_inside_a_store(store: OofStore, words: list[str]) -> None:
    assert run_here("blend", store.root, "--quick", cwd=store.root.parent).returncode == 0
    found = run_here("blend", *words, cwd=store.root)
    assert found.returncode == 0, found.stderr


def test_the_folder_above_has_the_lock_of_its_name(store: OofStore) -> None:
    with only_writer(store.root, "blend"):
        found = run_here("blend", "..", cwd=store.root / "members")
    assert found.returncode == 2
    assert "another process is writing" in found.stderr
