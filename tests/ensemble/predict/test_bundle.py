"""Bundles: they answer as the store did, whatever happened to the file is noticed, and nothing in them can run."""

from __future__ import annotations

import hashlib
import io
import json
import math
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console

from ensemble.core.console.status import StatusLine
from ensemble.core.errors import UserError
from ensemble.predict.bundle.files import BundleFiles
from ensemble.predict.bundle.linear import LINEAR, LinearModel, linear_file
from ensemble.predict.bundle.manifest import LARGEST_MANIFEST, MANIFEST, SCHEMA, Manifest, Reader, Scope, parse_manifest
from ensemble.predict.bundle.readers import read_part
from ensemble.predict.bundle.trees import LIGHTGBM
from ensemble.predict.bundled_ensemble import BundledEnsemble
from ensemble.predict.making import writing
from ensemble.predict.making.card import card_of
from ensemble.predict.making.check import check_against_store
from ensemble.predict.making.held_out import HeldOut, HeldOutAnswers
from ensemble.predict.making.inputs import open_inputs
from ensemble.predict.making.run import BundleMaker
from ensemble.predict.making.unfinished import UnfinishedAnswers
from ensemble.predict.making.variants import VARIANTS, Variant
from ensemble.predict.making.writing import check_sizes
from ensemble.predict.photographs.preparing import Preparation
from ensemble.predict.predictor import load_bundle
from ensemble.store.oof import OofStore
from members.forensics import Spectra
from tests.commands import run_here
from tests.competitions import write_config
from tests.conftest import train_inline
from tests.ensemble.predict.golden import GOLDEN

pytestmark = pytest.mark.training


def test_answers_are_the_submission_of_the_store(made: Path, bundled_store: OofStore, competition_folder: Path) -> None:
    expected = pd.read_csv(bundled_store.blend_folder / "submit.csv")
    found = load_bundle(made).predict([competition_folder / "test" / name for name in expected["name"]])
    np.testing.assert_allclose([answer.probability for answer in found], expected["pred"], atol=1e-5)
    assert [Path(answer.name).name for answer in found] == list(expected["name"])
    assert {answer.format for answer in found} == {"PNG"}
    assert set(found[0].members) == {"linear", "boosted", "ridge", "frozen", "cnn"}


def test_an_answer_depends_on_its_photograph_alone(made: Path, competition_folder: Path) -> None:
    photographs = sorted((competition_folder / "train").iterdir())[:20]
    together = [answer.probability for answer in load_bundle(made, threads=2).predict(photographs)]
    bundle = load_bundle(made, threads=1)
    backwards = [answer.probability for answer in bundle.predict(photographs[::-1])][::-1]
    alone = [bundle.predict([photograph.read_bytes()])[0].probability for photograph in photographs]
    np.testing.assert_allclose(together, backwards, atol=1e-6)
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_a_zip_holds_the_same(made: Path, bundled_store: OofStore, tmp_path: Path) -> None:
    result = run_here("bundle", bundled_store.root, "-o", "kinds.zip", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    zipped, folder = BundleFiles(tmp_path / "kinds.zip"), BundleFiles(made)
    assert zipped.manifest.files == folder.manifest.files
    assert zipped.content() == folder.content()


def test_a_bundle_holds_neither_pickles_nor_code(made: Path) -> None:
    suffixes = {path.suffix for path in made.rglob("*") if path.is_file()}
    assert suffixes == {".json", ".md", ".onnx", ".safetensors", ".txt"}


def test_info_reads_the_manifest_alone(bundle: Path) -> None:
    for path in [path for path in bundle.iterdir() if path.name != MANIFEST]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    result = run_here("bundle", "info", bundle, cwd=bundle)
    assert result.returncode == 0
    assert "linear, boosted, ridge, frozen, cnn" in result.stdout
    assert "32 x 32" in result.stdout


def edited(**changes: Any) -> Callable[[Path], None]:
    def edit(bundle: Path) -> None:
        content = json.loads((bundle / MANIFEST).read_text())
        (bundle / MANIFEST).write_text(json.dumps(content | changes))

    return edit


def edited_weights(weights: list[float | None]) -> Callable[[Path], None]:
    blender = {"kind": "linear", "weights": weights, "intercept": 0.0}
    return edited(blend={"blender": blender, "temperature": 1.0, "shift": 0.0})


def forge(bundle: Path, name: str, content: bytes) -> None:
    """Exchange a file, and its hash in the manifest too."""
    manifest = json.loads((bundle / MANIFEST).read_text())
    manifest["files"][name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    (bundle / MANIFEST).write_text(json.dumps(manifest))
    (bundle / name).write_bytes(content)


def flip_a_bit(bundle: Path) -> None:
    path = next(bundle.glob("features/*/graph.onnx"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def cut_short(bundle: Path) -> None:
    path = next(bundle.glob("members/boosted/fold-0/*.txt"))
    path.write_bytes(path.read_bytes()[:-10])


def rename(name: str) -> Callable[[Path], None]:
    def edit(bundle: Path) -> None:
        content = json.loads((bundle / MANIFEST).read_text())
        content["files"][name] = content["files"].pop("card.md")
        (bundle / MANIFEST).write_text(json.dumps(content))

    return edit


def name_a_foreign_reader(bundle: Path) -> None:
    content = json.loads((bundle / MANIFEST).read_text())
    content["features"][0]["reader"] = "os.system"
    (bundle / MANIFEST).write_text(json.dumps(content))


def name_an_unknown_family(bundle: Path) -> None:
    content = json.loads((bundle / MANIFEST).read_text())
    content["spectra"] = None
    content["features"][0] |= {"reader": "forensics", "settings": {"families": ["newest"]}}
    (bundle / MANIFEST).write_text(json.dumps(content))


def name_features_that_are_not_there(bundle: Path) -> None:
    content = json.loads((bundle / MANIFEST).read_text())
    content["members"][0]["features"] = 99
    (bundle / MANIFEST).write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (flip_a_bit, "is not the file that bundle.json describes"),
        (cut_short, "is not the file that bundle.json describes"),
        (lambda bundle: (bundle / "card.md").unlink(), "card.md cannot be read"),
        (lambda bundle: (bundle / MANIFEST).unlink(), "bundle.json cannot be read"),
        (lambda bundle: (bundle / MANIFEST).write_text("{"), "is not a JSON object"),
        (lambda bundle: (bundle / MANIFEST).write_text("[1]"), "is not a JSON object"),
        (lambda bundle: (bundle / MANIFEST).write_text("[" * 100_000), "is not a JSON object"),
        (edited(schema_number=SCHEMA + 1), "was made by a newer version"),
        (edited(schema_number="1"), "has no schema_number"),
        (edited(size=[10**9, 10**9]), "is damaged or edited (size"),
        (edited(members=[]), "is damaged or edited (members"),
        (edited(surprise=1), "is damaged or edited (surprise)"),
        (edited(files={"card.md": {"sha256": "x", "bytes": 1}}), "is damaged or edited (files.card.md.sha256)"),
        (edited(blend={"blender": {"kind": "linear"}, "temperature": 1, "shift": 0}), "blend"),
        (edited(size=[40, 24]), "its parts do not fit together"),
        (edited_weights([1.0]), "its parts do not fit together"),
        (edited_weights([None, 1.0]), "its parts do not fit together"),
        (lambda bundle: forge(bundle, "doubt/doubt.safetensors", b"nonsense"), "the doubt gate is damaged"),
        (
            lambda bundle: forge(bundle, "members/linear/fold-0/linear.safetensors", b"nonsense"),
            "or no linear",
        ),
        (edited(template={"size": 3}), "template"),
        *(
            (rename(name), "is not the name of a file in a bundle")
            for name in ("../../outside", "a/../../outside", "/etc/passwd", "a\\b", "a/", "x" * 301)
        ),
        (name_an_unknown_family, "needs members.forensics.families.newest, which is not installed"),
        (name_a_foreign_reader, "no reader is called 'os.system'"),
        (name_features_that_are_not_there, "it names features that it does not have"),
    ],
)
def test_what_is_no_whole_bundle_is_refused_in_a_sentence(
    bundle: Path, change: Callable[[Path], None], words: str
) -> None:
    change(bundle)
    with pytest.raises(UserError) as caught:
        load_bundle(bundle)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "faces.bundle" in str(caught.value)


def unknown_version(content: bytes) -> bytes:
    """Say of the first file that a later version of the format is needed for it."""
    start = content.find(b"PK\x01\x02")
    return content[: start + 6] + b"\xff" + content[start + 7 :]


def damaged_lzma(content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_LZMA) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return packed.getvalue()[:80] + bytes(20) + packed.getvalue()[100:]


@pytest.mark.parametrize("damage", [unknown_version, damaged_lzma])
def test_a_zip_that_is_damaged_inside_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    (tmp_path / "faces.zip").write_bytes(damage((GOLDEN / "schema-1.zip").read_bytes()))
    with pytest.raises(UserError, match=r"faces\.zip"):
        load_bundle(tmp_path / "faces.zip")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no zip at all", b"PK\x05\x06" + bytes(18)])
def test_a_file_that_is_no_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "faces.zip").write_bytes(content)
    with pytest.raises(UserError, match=r"faces\.zip"):
        load_bundle(tmp_path / "faces.zip")
    with pytest.raises(UserError, match="there is no bundle"):
        load_bundle(tmp_path / "nowhere.bundle")


def test_a_bomb_in_a_zip_is_not_unpacked(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The manifest says how large a file is; no more of it is read."""
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in bundle.rglob("*"):
            if path.is_file():
                content = bytes(200_000_000) if path.name == "card.md" else path.read_bytes()
                archive.writestr(path.relative_to(bundle).as_posix(), content)
    sizes, read = list[int](), zipfile.ZipExtFile.read

    def counted(file: zipfile.ZipExtFile, most: int | None = -1) -> bytes:
        content = read(file, most)
        sizes.append(len(content))
        return content

    monkeypatch.setattr(zipfile.ZipExtFile, "read", counted)
    with pytest.raises(UserError, match=r"card\.md is not the file"):
        load_bundle(tmp_path / "bomb.zip")
    assert max(sizes) < 100_000_000


def test_a_member_that_cannot_be_kept_is_named_before_anything_is_written(
    competition_folder: Path, tmp_path: Path
) -> None:
    forest = """
  - name: forest
    features: {use: members.forensics.LogDCT, cell: 16}
    model: {use: sklearn.ensemble.RandomForestClassifier, n_estimators: 5}
"""
    train_inline(write_config(tmp_path / "c.yaml", forest), competition_folder, tmp_path)
    assert run_here("blend", tmp_path / "small", cwd=tmp_path).returncode == 0
    result = run_here("bundle", tmp_path / "small", "-o", "f.bundle", cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "forest cannot be kept in a bundle: a RandomForestClassifier is neither" in result.stderr
    assert f"ensemble blend {tmp_path / 'small'} --without forest" in result.stderr
    assert not (tmp_path / "f.bundle").exists()


def test_a_place_that_cannot_be_reached_stops_the_rest(made: Path) -> None:
    """Its answers would be of no photograph, and count as finished."""

    def unreachable() -> bytes:
        raise UserError("s3://bucket cannot be reached")

    answers = load_bundle(made).answers([("a.png", unreachable)])
    with pytest.raises(UserError, match="cannot be reached"):
        next(answers)


def test_training_photographs_that_get_no_verdict_as_files_are_counted() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 4), dtype=np.uint8)
    files = []
    for mode in ("RGB", "RGBA", "RGBA"):
        file = io.BytesIO()
        Image.fromarray(pixels).convert(mode).save(file, "PNG")
        files.append(file.getvalue())
    whole = Preparation((32, 32), None, Scope(lowest_quality=50, largest_scale=1.05, largest_angle=12))
    nothing: Any = None
    held_out = HeldOut(*[nothing] * 12)
    held_out = replace(held_out, rows=np.arange(3), prepare=whole)
    said = held_out.warning_of_files(files)
    assert said.startswith("WARNING: of 3 training photographs 2 would get no verdict as the files that they are, 2 of")
    assert "partly transparent" in said
    assert held_out.warning_of_files(files[:1] * 3) == ""


def test_models_that_are_too_large_are_refused_before_anything_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    check_sizes({"a": {"x": bytes(100)}, "b": {}})
    monkeypatch.setattr(writing, "LARGEST_BUNDLE", 150)
    check_sizes({"a": {"x": bytes(100)}, "b": {"y": bytes(50)}})
    with pytest.raises(UserError, match="blend fewer members"):
        check_sizes({"a": {"x": bytes(100)}, "b": {"y": bytes(51)}})
    monkeypatch.setattr(writing, "LARGEST_FILE", 99)
    with pytest.raises(UserError, match="blend fewer members"):
        check_sizes({"a": {"x": bytes(100)}})


def test_the_card_of_an_earlier_blend_is_not_taken(tmp_path: Path) -> None:
    """As an interrupted blend leaves it."""
    manifest = BundleFiles(GOLDEN / "schema-1.zip").manifest
    (tmp_path / "model_card.md").write_text("of an earlier blend")
    assert "of an earlier blend" not in card_of(OofStore(tmp_path), manifest, is_the_blend=True)
    (tmp_path / "model_card.md").write_text(f"of this one: {manifest.store['submission_sha256']}")
    assert card_of(OofStore(tmp_path), manifest, is_the_blend=True).startswith("of this one")


def test_the_best_members_within_a_time_are_kept(bundled_store: OofStore, tmp_path: Path) -> None:
    """The slowest is left out where there is a little less time than it takes."""
    speeds = pd.read_csv(bundled_store.root / "leaderboard.csv").set_index("member")["photographs_per_second"].dropna()
    limit = 900 / speeds.min()
    result = run_here("bundle", bundled_store.root, "-o", "fast.bundle", "--max-ms-per-photo", limit, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    manifest = BundleFiles(tmp_path / "fast.bundle").manifest
    assert 0 < len(manifest.members) < 5
    assert speeds.idxmin() not in [member.name for member in manifest.members]
    result = run_here("bundle", bundled_store.root, "-o", "none.bundle", "--max-ms-per-photo", 1e-6, cwd=tmp_path)
    assert result.returncode == 2
    assert "the fastest takes" in result.stderr


def test_a_store_without_a_blend_cannot_be_bundled(trained: OofStore, tmp_path: Path) -> None:
    store = Path(shutil.copytree(trained.root, tmp_path / "small"))
    shutil.rmtree(store / "blend", ignore_errors=True)
    result = run_here("bundle", store, "-o", "f.bundle", cwd=tmp_path)
    assert result.returncode == 2
    assert "run ensemble blend" in result.stderr


def test_a_bit_that_is_flipped_within_a_zip_is_noticed(tmp_path: Path) -> None:
    """Or it belongs to nothing that is read, such as dates, and the answers are the same."""
    golden, blank, refused = (GOLDEN / "schema-1.zip").read_bytes(), np.zeros((32, 32, 3), np.uint8), 0
    (expected,) = load_bundle(GOLDEN / "schema-1.zip").predict([blank])
    places = range(200, len(golden), 7_919)
    for place in places:
        content = bytearray(golden)
        content[place] ^= 0x10
        (tmp_path / "faces.bundle").write_bytes(content)
        try:
            assert load_bundle(tmp_path / "faces.bundle").predict([blank]) == [expected]
        except UserError:
            refused += 1
    assert refused > len(places) / 2


def test_something_else_is_not_overwritten(bundled_store: OofStore, tmp_path: Path) -> None:
    (tmp_path / "photographs.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    result = run_here("bundle", bundled_store.root, "-o", "photographs.zip", cwd=tmp_path)
    assert result.returncode == 2
    assert "exists and is not a bundle" in result.stderr
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    result = run_here("bundle", bundled_store.root, "-o", "mine", cwd=tmp_path)
    assert result.returncode == 2
    assert "exists and is not a bundle" in result.stderr
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_models_that_predict_otherwise_than_when_they_were_trained_are_named(
    made: Path, bundled_store: OofStore, competition_folder: Path
) -> None:
    status = StatusLine(Console(file=StringIO()))
    inputs = open_inputs(bundled_store, bundled_store.experiment(), competition_folder, status)
    files = BundleFiles(made)
    ensemble = BundledEnsemble(files.manifest, files.content(), "here", 1)
    assert check_against_store(ensemble, inputs) < 1e-5
    moved = inputs.predictions.test_logits.copy()
    moved[:, inputs.predictions.members.index("ridge")] += 0.5
    changed = replace(inputs, predictions=replace(inputs.predictions, test_logits=moved))
    with pytest.raises(UserError, match="ridge predicts photographs differently than when it was trained"):
        check_against_store(ensemble, changed)


@pytest.mark.slow
def test_an_interrupted_bundling_goes_on(
    made: Path, bundled_store: OofStore, competition_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predicted, predict = list[str](), HeldOut.answers

    def interrupted_once(self: HeldOut, variant: Variant, on_progress: Callable[[float], None]) -> HeldOutAnswers:
        predicted.append(variant.name)
        if len(predicted) == 3:
            raise KeyboardInterrupt
        return predict(self, variant, on_progress)

    monkeypatch.setattr(HeldOut, "answers", interrupted_once)

    def make() -> Manifest:
        status = StatusLine(Console(file=StringIO()))
        inputs = open_inputs(bundled_store, bundled_store.experiment(), competition_folder, status)
        return BundleMaker(inputs, 400, status).make(tmp_path / "faces.bundle")

    with pytest.raises(KeyboardInterrupt):
        make()
    assert not (tmp_path / "faces.bundle").exists()
    manifest = make()
    assert predicted[3:5] == [predicted[0], predicted[2]], "photographs as they are, which are checked, then the rest"
    assert predicted[1] not in predicted[3:], "what was measured is not measured again"
    assert manifest.verdicts == BundleFiles(made).manifest.verdicts
    assert [path.name for path in tmp_path.iterdir()] == ["faces.bundle"]


def test_what_answers_are_made_from_is_the_same_each_time_and_changes_with_the_models(
    bundled_store: OofStore, competition_folder: Path
) -> None:
    """Also where the blend of fewer members is made anew each time."""
    status = StatusLine(Console(file=StringIO()))

    def made_from(limit: float | None = None, **changes: Any) -> list[Any]:
        inputs = open_inputs(bundled_store, bundled_store.experiment(), competition_folder, status, limit)
        manifest = {**inputs.manifest, **changes}
        return BundleMaker(replace(inputs, manifest=manifest), 400, status).made_from

    assert made_from() == made_from()
    assert made_from(1e6) == made_from(1e6)
    assert made_from() != made_from(decision={"temperature": 2.0, "shift": 0.0})
    assert made_from() != made_from(predictions_sha256={})


def test_a_spectrum_is_that_of_the_training_photographs(made: Path, competition_folder: Path) -> None:
    bundle, path = load_bundle(made), sorted((competition_folder / "train").iterdir())[0]
    found = bundle.spectrum(bundle.prepare("a", path.read_bytes))
    (expected,) = Spectra().transform(np.asarray(Image.open(path).convert("RGB"))[None])
    np.testing.assert_allclose(found, expected[:129], atol=1e-4)


def test_answers_of_other_photographs_and_damaged_ones_are_not_gone_on_with(tmp_path: Path) -> None:
    zeros, variant = np.zeros(3), VARIANTS[0]
    answers = HeldOutAnswers(variant, np.arange(3), np.arange(3), np.arange(3), zeros, zeros[:, None], zeros, zeros < 1)
    unfinished = UnfinishedAnswers(tmp_path / "faces.bundle", [400])
    assert unfinished.read(variant) is None
    unfinished.write(answers)
    found = unfinished.read(variant)
    assert found is not None
    assert vars(found).keys() == vars(answers).keys()
    for name, array in vars(answers).items():
        if name != "variant":
            np.testing.assert_array_equal(vars(found)[name], array, strict=True)
    assert UnfinishedAnswers(tmp_path / "faces.bundle", [200]).read(variant) is None
    (path,) = unfinished.folder.iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    assert unfinished.read(variant) is None


_ABSENT = ("torch", "timm", "ray", "optuna", "sklearn", "numba", "pandas", "pyarrow", "skops", "plotly", "jinja2")


@pytest.mark.process
def test_predicting_needs_little(made: Path, competition_folder: Path, tmp_path: Path) -> None:
    """As in an installation that has none of these packages."""
    program = f"""
import sys
for name in {_ABSENT}:
    sys.modules[name] = None
from ensemble.cli import main
sys.argv = ["ensemble", "predict", {str(made)!r}, {str(competition_folder / "test")!r}, "-o", "out.csv"]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
assert not [name for name in {_ABSENT} if sys.modules.get(name) is not None]
"""
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert result.returncode == 0, result.stderr
    whole = load_bundle(made).predict(sorted((competition_folder / "test").iterdir()))
    found = pd.read_csv(tmp_path / "out.csv")
    np.testing.assert_allclose(found["probability"], [answer.probability for answer in whole], atol=1e-5)


def test_indices_and_sizes_are_checked() -> None:
    raw = BundleFiles(GOLDEN / "schema-1.zip").manifest.model_dump(mode="json")
    count = len(raw["features"])
    wrong = [raw | {"blend": raw["blend"] | {"columns": index}} for index in (-1, count)]
    wrong += [raw | {"members": [raw["members"][0] | {"features": index}]} for index in (-1, count)]
    if raw["doubt"]:
        wrong.append(raw | {"doubt": raw["doubt"] | {"features": count}})
    for content in wrong:
        with pytest.raises(UserError, match="names features that it does not have"):
            parse_manifest(json.dumps(content).encode(), "x")
    huge = raw | {"files": {f"file-{number}": {"sha256": "0" * 64, "bytes": 2**30} for number in range(9)}}
    with pytest.raises(UserError, match="GiB together"):
        parse_manifest(json.dumps(huge).encode(), "x")
    with pytest.raises(UserError, match="too large to be that of a bundle"):
        parse_manifest(b" " * (LARGEST_MANIFEST + 1), "x")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("blend", "temperature"), 0),
        (("blend", "temperature"), -1.0),
        (("blend", "temperature"), math.inf),
        (("blend", "shift"), math.nan),
        (("verdicts", "strong"), math.nan),
        (("verdicts", "some"), -math.inf),
        (("verdicts", "some_rate"), 1.5),
        (("verdicts", "rates", 0, "real"), -1),
        (("doubt", "threshold"), -1.0),
        (("doubt", "threshold"), 0),
        (("prior",), 1.5),
        (("milliseconds",), 0),
        (("size",), [7, 32]),
        (("scope", "lowest_quality"), 0),
        (("scope", "largest_angle"), 181),
        (("verdicts", "some"), 1e9),
        (("verdicts", "rates", 0, "strong_false"), 10**6),
        (("verdicts", "rates", 0, "undecided_fake"), 10**6),
        (("spectra", "fake"), []),
    ],
)
def test_numbers_out_of_range_are_refused(path: tuple[Any, ...], value: Any) -> None:
    raw = BundleFiles(GOLDEN / "schema-1.zip").manifest.model_dump(mode="json")
    inner = raw
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(UserError, match="is damaged or edited"):
        parse_manifest(json.dumps(raw).encode(), "x")


def test_what_a_part_lacks_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(UserError, match=r"^faces needs lightgbm, which is not installed"):
        read_part(Reader(reader="lightgbm", folder="a"), {LIGHTGBM: b"tree"}, 1, "faces")
    with pytest.raises(ValueError, match="do not belong together"):
        LinearModel({LINEAR: linear_file(np.ones((3, 2)), np.zeros(1), np.ones(3), np.zeros(3))}, {}, 1)
    shutil.unpack_archive(GOLDEN / "schema-1.zip", tmp_path / "faces.bundle")
    with (tmp_path / "faces.bundle" / "card.md").open("ab") as file:
        file.write(b"\nand more")
    with pytest.raises(UserError, match=r"card\.md is not the file"):
        BundleFiles(tmp_path / "faces.bundle").content()
