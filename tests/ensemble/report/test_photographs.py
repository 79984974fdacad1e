"""The photographs of a report: correctly chosen, stored unaltered, and described where there are no pictures."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ensemble.blend.run import blend
from ensemble.competition.dataset import Competition
from ensemble.competition.rows import SampleTable
from ensemble.config.settings import Recipe
from ensemble.core.console.console import make_console
from ensemble.core.console.progress import ProgressBoard
from ensemble.core.metrics.decisions import correct_logits
from ensemble.core.metrics.scores import correct_probabilities, to_probabilities
from ensemble.core.storage.files import Location
from ensemble.engine.choose import engine_maker
from ensemble.report.__main__ import main as report
from ensemble.report.exhibits import criteria
from ensemble.report.exhibits.criteria import least_sure
from ensemble.report.exhibits.opinions import MEAN, opinions_of_test
from ensemble.report.exhibits.pictures import MOST_BYTES, picture_of
from ensemble.report.exhibits.selection import choose, photographs_of
from ensemble.report.exhibits.stored import EXHIBITS, read_exhibits, store_photographs, update_exhibits
from ensemble.report.facts.material import Material
from ensemble.report.publish import publish
from ensemble.report.render.blocks import Gallery
from ensemble.report.sections.photographs import photographs
from ensemble.report.signature import report_signature
from ensemble.report.write import PAGE
from ensemble.store.columns import SPECTRA, make_columns
from ensemble.store.context import RunContext
from ensemble.store.oof import OofStore
from ensemble.store.opening import PHOTOGRAPHS_FILE
from ensemble.store.predictions import load_predictions
from members.forensics import Spectra
from tests.competitions import write_competition
from tests.ensemble.report.simulated import opinions, opinions_of
from tests.records import stored_predictions
from tests.storage import fill, invoke


@pytest.fixture(scope="module")
def blended(trained: OofStore, tmp_path_factory: pytest.TempPathFactory) -> OofStore:
    """A store with a blend, and no photographs yet. Read only."""
    store = OofStore(Path(shutil.copytree(trained.root, tmp_path_factory.mktemp("blended") / "small")))
    (store.root / EXHIBITS).unlink(missing_ok=True)
    experiment = store.experiment()
    quick = experiment.blend.model_copy(update={"methods": ("mean",)})
    blend(store, experiment.model_copy(update={"blend": quick}))
    return store


@pytest.fixture
def store(blended: OofStore, tmp_path: Path) -> OofStore:
    """A copy without what training has kept for the report: photographs and spectra."""
    copy = OofStore(Path(shutil.copytree(blended.root, tmp_path / "oof" / "small")))
    for name in (EXHIBITS, SPECTRA):
        (copy.root / name).unlink(missing_ok=True)
    return copy


def material_of(store: OofStore) -> Material:
    return Material.of(store, store.experiment(), load_predictions(store))


def forget_source(store: OofStore, source: str = "/nowhere/at/all") -> None:
    facts = json.loads((store.root / "data.json").read_text())
    (store.root / "data.json").write_text(json.dumps(facts | {"source": source}))


# ---- choosing ----
def test_errors_are_errors_the_surest_first_of_both_directions() -> None:
    seen = opinions()
    chosen = [each.row for each in criteria.confident_errors(seen)]
    wrong = ~correct_probabilities(seen.lead, seen.labels)
    assert wrong[chosen].all()
    assert len(chosen) == min(wrong.sum(), criteria.AT_MOST)
    sure = np.abs(seen.lead[chosen] - 0.5)
    assert (np.diff(sure) <= 0).all()
    assert set(seen.labels[chosen]) == set(seen.labels[wrong])
    assert sure[0] == np.abs(seen.lead[wrong] - 0.5).max()


def test_disagreements_are_split_and_farther_apart_than_any_other() -> None:
    seen = opinions()
    chosen = [each.row for each in criteria.disagreements(seen)]
    decides, members = seen.logits >= 0, to_probabilities(seen.logits.astype(np.float64))
    split = decides.any(axis=1) & ~decides.all(axis=1)
    assert split[chosen].all()
    apart = np.abs(members[:, :, None] - members[:, None, :]).sum(axis=(1, 2)) / (4 * 3)
    np.testing.assert_allclose(criteria.mean_differences(members), apart)
    assert apart[chosen].min() >= np.delete(apart, chosen)[np.delete(split, chosen)].max()


@settings(max_examples=30)
@given(st.lists(st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=4, max_size=4), min_size=1, max_size=5))
def test_mean_differences_of_members_that_are_silent(rows: list[list[float | None]]) -> None:
    table = np.array([[np.nan if value is None else value for value in row] for row in rows])
    for row, found in zip(table, criteria.mean_differences(table), strict=True):
        there = row[~np.isnan(row)]
        pairs = [abs(a - b) for place, a in enumerate(there) for b in there[:place]]
        assert found == pytest.approx(np.mean(pairs) if pairs else 0)


def test_the_label_rule_finds_labels_that_were_flipped() -> None:
    flipped = tuple(range(7, 400, 20))
    doubts = criteria.likely_label_errors(opinions(quality=(6.0, 6.0, 5.0, 5.0), flipped=flipped), count=50)
    assert doubts is not None
    found = {each.row for each in doubts.chosen}
    assert len(found) == doubts.found
    assert len(found & set(flipped)) > len(flipped) / 2
    assert not found - set(flipped)
    assert doubts.by_chance < 1, "twenty would not come by chance"
    honest = criteria.likely_label_errors(opinions(quality=(6.0, 6.0, 5.0, 5.0)))
    assert honest is not None
    assert not honest.found


def test_one_member_that_sides_with_the_label_is_enough_to_trust_it() -> None:
    labels = np.arange(40) % 2
    logits = np.where(labels[:, None] == 1, 3.0, -3.0) * np.ones((40, 3))
    logits[[4, 9]] *= -3
    logits[9, 2] *= -0.01
    doubts = criteria.likely_label_errors(opinions_of(logits, labels))
    assert doubts is not None
    assert [each.row for each in doubts.chosen] == [4]


def test_chance_is_what_independent_errors_would_give() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(4000) % 2
    right = rng.random((4000, 3)) > np.array([0.3, 0.2, 0.4])
    seen = opinions_of(np.where(right == (labels[:, None] == 1), 1.0, -1.0), labels)
    doubts = criteria.likely_label_errors(seen)
    assert doubts is not None
    assert doubts.by_chance == pytest.approx(4000 * 0.3 * 0.2 * 0.4, rel=0.1)
    assert doubts.all_wrong == pytest.approx(doubts.by_chance, abs=4 * np.sqrt(doubts.by_chance))


def test_one_member_agrees_with_nobody() -> None:
    assert criteria.likely_label_errors(opinions(quality=(2.0,))) is None


def test_only_one_right_is_right_alone_and_each_has_its_turn() -> None:
    seen = opinions(n=2000)
    chosen = [each.row for each in criteria.only_one_right(seen)]
    right = correct_logits(seen.logits, seen.labels[:, None])
    assert (right[chosen].sum(axis=1) == 1).all()
    able = {int(np.argmax(row)) for row in right[right.sum(axis=1) == 1]}
    assert {int(np.argmax(row)) for row in right[chosen]} == able
    assert not criteria.only_one_right(opinions(quality=(2.0, 2.0))), "of two that differ one is always right alone"


def test_members_that_are_not_complete_are_left_out_of_votes_and_counts() -> None:
    seen = opinions()
    seen.logits[::2, 0] = np.nan
    seen.logits[0, :] = np.nan
    seen.lead[0] = np.nan
    assert len(seen.votes(0)) == 0
    assert len(seen.votes(2)) == 4
    assert len(seen.votes(1)) == 5
    kinds = [criteria.confident_errors, criteria.disagreements, criteria.only_one_right, criteria.least_sure]
    chosen = [each for kind in kinds for each in kind(seen)]
    doubts = criteria.likely_label_errors(seen)
    assert doubts is not None
    assert 0 not in {each.row for each in [*chosen, *doubts.chosen]}
    assert all("of 3 " in each.note for each in criteria.disagreements(seen) if each.row % 2 == 0)


def test_nothing_is_in_sample(store: OofStore) -> None:
    """What is shown of training photographs is what the store calls out-of-fold, and of the blend what is nested."""
    material = material_of(store)
    train = choose(material)[0].opinions
    frame = stored_predictions(material.store, "linear", 1)
    heldout = frame[frame["split"] == "oof"]
    rows = np.array([list(train.names).index(name) for name in heldout["name"]])
    np.testing.assert_allclose(train.probabilities(rows)[:, train.who.index("linear")], heldout["pred"], atol=1e-6)
    assert material.blend is not None
    np.testing.assert_array_equal(train.lead[material.blend.rows], material.blend.probabilities)
    assert {choice.opinions.split for choice in choose(material) if choice.id != "least-sure"} == {"train"}


def test_without_a_blend_the_mean_leads_and_says_so(store: OofStore) -> None:
    shutil.rmtree(store.root / "blend")
    choices = choose(material_of(store))
    assert {choice.opinions.lead_title for choice in choices} == {MEAN}
    assert "there is no blend" in choices[-1].caption


# ---- what the store keeps ----
def test_the_store_keeps_the_files_themselves_and_no_others(store: OofStore, competition_folder: Path) -> None:
    assert store_photographs(material_of(store)) == ""
    names = photographs_of(choose(material_of(store)))
    kept = read_exhibits(store).contents
    assert list(kept) == names
    assert all(kept[name] == (competition_folder / name).read_bytes() for name in names)
    settings = store.experiment().data
    update_exhibits(store, names[:2], settings)
    assert list(read_exhibits(store).contents) == names[:2], "what is shown no longer goes"


def test_nothing_is_read_when_all_are_there(store: OofStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store_photographs(material_of(store))
    before = (store.root / EXHIBITS).stat().st_mtime_ns
    monkeypatch.setattr(Competition, "open", lambda *_: pytest.fail("the archive was read"))
    assert store_photographs(material_of(store)) == ""
    assert (store.root / EXHIBITS).stat().st_mtime_ns == before


@pytest.mark.training
def test_other_photographs_of_the_same_names_are_refused(
    store: OofStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_source(store, str(write_competition(tmp_path / "other", first=500)))
    said = store_photographs(material_of(store))
    assert "other photographs lie there now" in said
    assert "--data PATH" in said
    assert not read_exhibits(store).contents
    assert not pictures_of(store)
    monkeypatch.setattr(Competition, "open", lambda *_: pytest.fail("a place was searched twice in vain"))
    assert store_photographs(material_of(store)) == said


def test_what_was_kept_for_other_data_is_not_shown(store: OofStore) -> None:
    store_photographs(material_of(store))
    names = list(read_exhibits(store).contents)
    noted = json.loads((store.root / PHOTOGRAPHS_FILE).read_text())
    noted[names[0]] = hashlib.sha256(b"another").hexdigest()
    (store.root / PHOTOGRAPHS_FILE).write_text(json.dumps(noted))
    assert names[0] not in read_exhibits(store).contents
    assert list(read_exhibits(store).missing) == [names[0]]


@pytest.mark.parametrize("broken", ["gone", "no archive", "no parquet", "no checksums"])
def test_nothing_fails_for_want_of_photographs(store: OofStore, tmp_path: Path, broken: str) -> None:
    if broken == "gone":
        forget_source(store)
    elif broken == "no archive":
        (tmp_path / "bad.tar.gz").write_bytes(b"no archive")
        forget_source(store, str(tmp_path / "bad.tar.gz"))
    elif broken == "no parquet":
        (store.root / EXHIBITS).write_bytes(b"no parquet")
    else:
        (store.root / PHOTOGRAPHS_FILE).unlink()
    said = store_photographs(material_of(store))
    assert (said == "") == (broken == "no parquet")
    section = photographs(material_of(store))
    assert section is not None
    assert bool(pictures_of(store)) == (broken == "no parquet")
    exhibits = [e for block in section.blocks if isinstance(block, Gallery) for e in block.exhibits]
    assert all(len(exhibit.votes) == 3 for exhibit in exhibits), "names and probabilities stand all the same"
    assert ("STORE --data PATH" in str(section.blocks[0])) == (broken != "no parquet")


def test_it_lies_anywhere(blended: OofStore, place: Location) -> None:
    assert isinstance(blended.root, Path)
    store = OofStore(fill(place / "small", blended.root))
    assert store_photographs(material_of(store)) == ""
    assert list(read_exhibits(store).contents) == photographs_of(choose(material_of(store)))


@pytest.mark.training
def test_the_report_takes_them_from_data_and_is_written_again(store: OofStore, competition_folder: Path) -> None:
    forget_source(store)
    assert "are not shown" in " ".join(invoke_report(store).split())
    page = (store.root / PAGE).read_text()
    before = report_signature(material_of(store))
    assert not re.findall(r'<img loading[^>]* src="data:', page)
    said = invoke_report(store, "--data", str(competition_folder))
    assert "are not shown" not in said
    assert report_signature(material_of(store)) != before
    page = (store.root / PAGE).read_text()
    shown = photographs_of(choose(material_of(store)))
    assert len(re.findall(r'<img loading[^>]* src="data:image/png', page)) == len(shown), "each stands in the page once"
    assert "photographs are not shown" not in page
    assert "fake_by_linear" in (store.root / "report" / "disagreements-votes.csv").read_text()


@pytest.mark.training
def test_train_hands_over_its_photographs(store: OofStore, competition_folder: Path) -> None:
    forget_source(store)
    publish(store, make_console(), competition=Competition.open(competition_folder))
    assert not read_exhibits(store).missing


# ---- pictures and spectra ----
def test_a_small_file_is_shown_as_it_is() -> None:
    content = encoded(np.zeros((64, 64, 3)), "PNG")
    picture = picture_of(content)
    assert picture is not None
    assert picture.uri.startswith("data:image/png")
    assert not picture.reduced


@pytest.mark.parametrize(("side", "reduced"), [(128, False), (700, True)])
def test_a_large_file_is_made_small(side: int, reduced: bool) -> None:
    pixels = np.random.default_rng(0).normal(128, 30, (side, side, 3))
    picture = picture_of(encoded(pixels, "PNG"))
    assert picture is not None
    assert picture.uri.startswith("data:image/webp")
    assert len(picture.uri) < 1.34 * MOST_BYTES + 100
    assert picture.pixels.shape == (side, side, 3)
    assert picture.reduced == reduced


@pytest.mark.parametrize("kind", ["turned", "alpha"])
def test_a_browser_shows_what_members_saw(kind: str) -> None:
    """A browser would turn a photograph by its EXIF, and mix a transparent one with the page; decoding does neither."""
    pixels = np.zeros((32, 48, 3))
    pixels[:, :10] = 255
    if kind == "turned":
        exif = Image.Exif()
        exif[0x0112] = 6
        content = encoded(pixels, "JPEG", exif=exif)
    else:
        content = encoded(np.dstack([pixels, np.zeros((32, 48))]), "PNG")
    picture = picture_of(content)
    assert picture is not None
    assert picture.uri.startswith("data:image/webp")
    assert picture.pixels[:, :8].min() > 200
    assert picture_of(b"no photograph") is None


@pytest.mark.training
def test_curves_are_the_columns_of_the_transformer(store: OofStore, competition_folder: Path) -> None:
    store_photographs(material_of(store))
    competition = Competition.open(competition_folder)
    rows = {name: row for row, name in enumerate(competition.identities)}
    expected = Spectra().transform(competition.decode())[:, :129]
    alone = galleries(store)
    assert not alone[0].means
    for exhibit in alone[0].exhibits:
        np.testing.assert_allclose(exhibit.curve, expected[rows[f"{exhibit.split}/{exhibit.name}"]], atol=1e-4)
        assert exhibit.spectrum.startswith("data:image/webp")
    with engine_maker("inline")() as engine:
        recipe = store.experiment().report.spectra
        context = RunContext(competition, store.ledger(), store, engine, ProgressBoard())
        make_columns(recipe, context, competition.decode(), SPECTRA)
    shown = galleries(store)
    assert shown[0].exhibits == alone[0].exhibits
    labels = np.array([*store.ledger().labels, *[-1] * 12])
    for label, word in enumerate(["real", "fake"]):
        np.testing.assert_allclose(shown[0].means[word], expected[labels == label].mean(axis=0), atol=1e-4)
        low, high = shown[0].bands[word]
        assert (np.array(low) <= np.array(high)).all()


def test_new_spectra_make_a_new_page(store: OofStore) -> None:
    before = report_signature(material_of(store))
    (store.root / SPECTRA).write_bytes(b"something")
    assert report_signature(material_of(store)) != before


def test_a_transformer_that_raises_costs_the_spectra_only(store: OofStore) -> None:
    store_photographs(material_of(store))
    experiment = store.experiment()
    report = experiment.report.model_copy(update={"spectra": Recipe(use="tests.foreign.RaisesFeatures")})
    broken = experiment.model_copy(update={"report": report})
    section = photographs(Material.of(store, broken, load_predictions(store)))
    assert section is not None
    assert "There are no spectra: tests.foreign.RaisesFeatures raised" in str(section.blocks[-1])
    assert pictures_of(store)


# ---- helpers ----
def galleries(store: OofStore) -> list[Gallery]:
    section = photographs(material_of(store))
    assert section is not None
    return [block for block in section.blocks if isinstance(block, Gallery) and block.exhibits]


def pictures_of(store: OofStore) -> list[str]:
    return [e.picture for gallery in galleries(store) for e in gallery.exhibits if e.picture]


def encoded(pixels: np.ndarray, kind: str, **options: Any) -> bytes:
    buffer = BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(buffer, kind, **options)
    return buffer.getvalue()


def invoke_report(store: OofStore, *options: str) -> str:
    result = invoke(report, store.root, *options)
    assert result.exit_code == 0, result.output
    said: str = result.output
    return said


def test_rows_without_a_photograph_are_not_uncertain() -> None:
    columns = ("name", "pred", ["name", "pred"])
    sample = SampleTable(["a", "b", "gone"], ["a", "b", ""], *columns, fixed={"gone": 0.5})
    predictions = SimpleNamespace(members=["m"], test_logits=np.array([[3], [3], [0]], np.float32))
    store = SimpleNamespace(sample=lambda: sample)
    material: Any = SimpleNamespace(manifest=None, store=store, predictions=predictions)
    assert 2 not in [each.row for each in least_sure(opinions_of_test(material))]
