"""What a bundle answers: by the formula of the blend, with its error rates, and no verdict on what is no number."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ensemble.blend.blenders.boosted import BoostedStacking
from ensemble.predict.bundle.files import BundleFiles
from ensemble.predict.bundle.manifest import Rate, Verdicts
from ensemble.predict.bundled_ensemble import BlendedLogits, BundledEnsemble
from ensemble.predict.doubt import DoubtGate
from ensemble.predict.info import info_lines
from ensemble.predict.making.card import verdicts_section
from ensemble.predict.predictor import Bundle, load_bundle
from ensemble.predict.verdicts import CANNOT, NO, SOME, STRONG
from tests.competitions import photograph
from tests.ensemble.blend.worlds import folds_of
from tests.ensemble.predict.golden import ASKED, GOLDEN

BUNDLE = GOLDEN / "schema-1.zip"
PIXELS = np.stack([photograph(900 + seed, fake=seed % 2 == 1) for seed in range(6)])


def test_shift_and_temperature_of_the_blend_are_in_every_answer() -> None:
    files = BundleFiles(BUNDLE)
    content, blend = files.content(), files.manifest.blend
    before = BundledEnsemble(files.manifest, content, "a", 1)(PIXELS).blended
    changed = blend.model_copy(update={"temperature": 2 * blend.temperature, "shift": blend.shift + 0.5})
    after = BundledEnsemble(files.manifest.model_copy(update={"blend": changed}), content, "b", 1)(PIXELS).blended
    np.testing.assert_allclose(after, (before * blend.temperature - 0.5) / (2 * blend.temperature), atol=1e-5)


def test_a_blender_reads_its_columns_behind_the_members() -> None:
    files, rng = BundleFiles(BUNDLE), np.random.default_rng(0)
    content, manifest = files.content(), files.manifest
    plain = BundledEnsemble(manifest, content, "plain", 1)
    tables = plain.tables(PIXELS)
    members, table = plain.members(PIXELS, tables), tables[0]
    widest = int(table.std(axis=0).argmax())
    drawn = table.mean(axis=0) + table.std(axis=0) * rng.normal(size=(400, table.shape[1]))
    X = np.asfortranarray(np.concatenate([2 * rng.normal(size=(400, 3)), drawn], axis=1).astype(np.float32))
    y = (X[:, 3 + widest] > table[:, widest].mean()).astype(np.int64)
    boosted = BoostedStacking(3, trials=1).fit(X, y, folds_of(400))
    state = json.loads(json.dumps(boosted.state()))
    blend = manifest.blend.model_copy(update={"blender": state, "columns": 0, "temperature": 1.0, "shift": 0.0})
    found = BundledEnsemble(manifest.model_copy(update={"blend": blend}), content, "seeing", 1)(PIXELS)
    seen = np.concatenate([members, table], axis=1).astype(np.float32)
    np.testing.assert_allclose(found.blended, boosted.decision_function(seen), atol=1e-6)
    assert np.ptp(found.blended) > 0


def test_an_accusation_states_how_often_it_is_wrong() -> None:
    files = BundleFiles(BUNDLE)
    rate = Rate(
        variant="clean", title="clean", guaranteed=True, real=200, fake=10, strong_false=1, some_false=5,
        strong_found=8, some_found=9, undecided_real=0, undecided_fake=0,
    )  # fmt: skip
    logits = sorted(BundledEnsemble(files.manifest, files.content(), "a", 1)(PIXELS).blended)
    some, strong = (logits[2] + logits[3]) / 2, (logits[4] + logits[5]) / 2
    verdicts = Verdicts(strong=strong, some=some, strong_rate=0.005, some_rate=0.02, rates=(rate,))
    bundle = Bundle(files.manifest.model_copy(update={"verdicts": verdicts}), files.content(), "golden")
    found = sorted(bundle.predict(PIXELS), key=lambda answer: answer.probability or 0)
    assert [answer.verdict for answer in found] == [NO, NO, NO, SOME, SOME, STRONG]
    row = found[3].row(bundle.members)
    stated = [row[f"false_positive_{name}"] for name in ("rate", "low", "high")]
    assert stated == pytest.approx([0.025, 0.01072, 0.05718], abs=1e-4)
    assert found[5].row(bundle.members)["false_positive_rate"] == 0.005
    assert found[0].row(bundle.members)["false_positive_rate"] is None


def test_the_doubt_of_a_released_bundle_stays() -> None:
    gate = DoubtGate(*(np.array(each, np.float32) for each in ([1, 0, 0, 0], [2, 1, 1, 1], [[1, 0, 0, 0]])))
    assert gate(np.array([[11, 3, 0, 0]], np.float32)) == pytest.approx([3**0.5]), "per column that is left"
    before = json.loads((GOLDEN / "schema-1.json").read_text())
    found = load_bundle(BUNDLE).predict(photograph(900 + seed, fake=seed % 2 == 1) for seed in ASKED)
    assert [each.doubt for each in found] == pytest.approx([row["doubt"] for row in before], abs=1e-3)


@pytest.mark.parametrize(
    ("logit", "doubt", "words"),
    [(np.nan, 0.0, "no finite number"), (np.inf, 0.0, "no finite number"), (9.0, np.nan, "unlike the photographs")],
)
def test_what_is_no_number_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch, logit: float, doubt: float, words: str
) -> None:
    bundle = load_bundle(BUNDLE)
    said = BlendedLogits(np.zeros((1, 3)), np.array([logit]), np.array([doubt]))
    monkeypatch.setattr(bundle, "_ensemble", lambda _: said)
    (answer,) = bundle.predict([np.zeros((32, 32, 3), np.uint8)])
    assert answer.verdict == CANNOT
    assert words in answer.reason
    assert (answer.probability is None) == (not np.isfinite(logit))


def test_width_comes_before_height() -> None:
    bundle = load_bundle(BUNDLE)
    (answer,) = bundle.predict([np.zeros((20, 48, 3), np.uint8)])
    assert (answer.width, answer.height) == (48, 20)
    manifest = bundle.manifest.model_copy(update={"size": (20, 48)})
    assert "photographs: 48 x 20;" in "\n".join(info_lines(manifest))
    assert "photographs of 48 x 20 pixels" in verdicts_section(manifest)
