"""From a store to a bundle: weights, checks against the store, what may be written over, and the card's numbers."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from ensemble.core.console.status import StatusLine
from ensemble.core.errors import UserError
from ensemble.predict.bundle.files import BundleFiles
from ensemble.predict.bundle.manifest import MANIFEST, Rate, Verdicts
from ensemble.predict.info import info_lines, share_with_interval
from ensemble.predict.making.card import verdicts_section
from ensemble.predict.making.check import check_held_out
from ensemble.predict.making.inputs import StoreInputs, _with_weight, open_inputs
from ensemble.predict.making.run import BundleMaker
from ensemble.predict.making.writing import check_target
from ensemble.store.oof import OofStore
from tests.ensemble.predict.golden import GOLDEN


def test_members_without_weight_leave_the_weights_of_the_others() -> None:
    manifest = {
        "members": ["a", "b", "c", "d"],
        "blender": {"kind": "linear", "weights": [0.25, 0.0, 0.95, -0.2], "intercept": 0.1},
        "decision": {"temperature": 2.0, "shift": 0.5},
    }
    names = _with_weight(manifest)
    assert names == ["a", "c", "d"]
    blend = StoreInputs(None, None, None, None, manifest, names, {}, None, True).blend  # type: ignore[arg-type]
    assert blend.blender == {"kind": "linear", "weights": [0.25, 0.95, -0.2], "intercept": 0.1}
    assert (blend.temperature, blend.shift) == (2.0, 0.5)


def test_held_out_answers_are_those_of_the_store() -> None:
    stored = np.array([[9, 1, 4], [9, 2, 5], [9, 3, 6]], np.float32)
    predictions = SimpleNamespace(members=["x", "b", "c"], oof_logits=stored)
    inputs = SimpleNamespace(members={"c": None, "b": None}, predictions=predictions)
    rows, right = np.array([2, 0]), np.array([[6.0, 3.0], [4.0, 1.0]])
    check_held_out(SimpleNamespace(members=right, rows=rows), inputs)
    for wrong in (0.02, -0.02, np.nan):
        moved = right.copy()
        moved[1, 1] += wrong
        with pytest.raises(UserError, match=r"^b predicts photographs differently"):
            check_held_out(SimpleNamespace(members=moved, rows=rows), inputs)


def test_only_bundles_are_written_over(tmp_path: Path) -> None:
    for name in ("empty", "old.bundle", "folder.zip"):
        (tmp_path / name).mkdir()
    (tmp_path / "old.bundle" / MANIFEST).write_text("{}")
    with zipfile.ZipFile(tmp_path / "old.zip", "w") as archive:
        archive.writestr(MANIFEST, "{}")
    for name in ("thesis", "text.zip"):
        (tmp_path / name).write_text("years of work")
    for name in ("new.bundle", "new.zip", "empty", "old.bundle", "old.zip"):
        check_target(tmp_path / name)
    for name in ("thesis", "text.zip", "folder.zip"):
        with pytest.raises(UserError, match="exists and is not a bundle"):
            check_target(tmp_path / name)


@pytest.mark.training
def test_answers_about_another_sample_are_not_gone_on_with(bundled_store: OofStore, competition_folder: Path) -> None:
    status = StatusLine(Console(file=StringIO()))
    inputs = open_inputs(bundled_store, bundled_store.experiment(), competition_folder, status)
    assert BundleMaker(inputs, 30, status).made_from == BundleMaker(inputs, 30, status).made_from
    assert BundleMaker(inputs, 30, status).made_from != BundleMaker(inputs, 20, status).made_from
    blend = inputs.experiment.blend.model_copy(update={"trials": 99})
    other = replace(inputs, experiment=inputs.experiment.model_copy(update={"blend": blend}))
    assert BundleMaker(inputs, 30, status).made_from != BundleMaker(other, 30, status).made_from


def test_the_card_and_info_state_each_rate_in_its_place() -> None:
    rate = Rate(
        variant="m", title="m", guaranteed=True, real=100, fake=50, strong_false=1, some_false=2, strong_found=30,
        some_found=40, undecided_real=10, undecided_fake=5,
    )  # fmt: skip
    verdicts = Verdicts(strong=3.25, some=1.5, strong_rate=0.005, some_rate=0.02, rates=(rate,))
    manifest = BundleFiles(GOLDEN / "schema-1.zip").manifest.model_copy(update={"verdicts": verdicts})
    share = share_with_interval
    assert share(1, 100) == "1.0% [0.2%, 5.4%]"
    assert share(0, 0) == "-"
    card, info = verdicts_section(manifest), "\n".join(info_lines(manifest))
    cells = [share(1, 100), share(2, 100), share(30, 50), share(40, 50), share(10, 100), share(5, 50)]
    assert f"| m | 100 | 50 | {' | '.join(cells)} | yes |" in card
    assert "logit of 3.25 or more, some evidence 1.50 or more: the limits that at most 0.5% and 2% of" in card
    real = f"real with strong evidence {share(1, 100)}, with any {share(2, 100)}"
    assert f"m: {real}; fakes {share(40, 50)}; cannot say {share(15, 150)}" in info
    assert "from a logit of 3.25 on, some from 1.50 on" in info
