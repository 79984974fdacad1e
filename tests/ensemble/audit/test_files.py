"""Audits of files: each fires on its planted fault, and all are silent on a clean competition."""

from __future__ import annotations

import errno
import shutil
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from ensemble.audit import run as audits
from ensemble.audit.files.copies import Pair, across, find_pairs, within_train
from ensemble.audit.files.formats import formats, formats_of_test
from ensemble.audit.files.header import facts_of, file_facts
from ensemble.audit.files.names import names, runs_test
from ensemble.audit.learned.permutation import best_auc, judge
from ensemble.audit.run import warnings_of
from ensemble.competition.dataset import Competition
from ensemble.config.experiment import DataSettings, FoldSettings
from ensemble.config.reading import load_experiment
from ensemble.core.errors import UserError
from ensemble.folds.ledger import FoldLedger
from ensemble.report.facts.material import Material
from ensemble.report.render.blocks import Findings
from ensemble.report.sections.stress.audits import audits as audits_section
from ensemble.store.checks import checks_of, read_audit, read_content, write_audit
from ensemble.store.oof import OofStore
from ensemble.store.opening import find_store
from ensemble.store.predictions import load_predictions
from tests.commands import run_here
from tests.competitions import LINEAR, write_competition, write_config
from tests.conftest import train_inline
from tests.planted import FAULTS, audited, draft, finish, picture

FILES = ("formats", "formats_of_test", "duplicates", "duplicates_across", "names")
OF_FILES = {name: fault for name, fault in FAULTS.items() if fault.found_by in FILES}


def of_files(competition: Competition) -> dict[str, str]:
    """Verdicts of the audits that read files only."""
    train, rows = competition.train, competition.train_rows
    ledger = FoldLedger.cut(train.names, train.labels, train.names, FoldSettings())
    facts = facts_of(competition.encoded, competition.identities)
    pairs = find_pairs(list(competition.contents.values()), competition.decode(), 30)
    checks = [
        formats(facts[:rows], ledger.labels, ledger.folds),
        formats_of_test(facts[:rows], facts[rows:]),
        within_train(pairs, ledger),
        across(pairs, ledger, competition.sample.names),
        names(train.names, ledger.labels, ledger.folds),
    ]
    return {check.id: check.verdict for check in checks}


@pytest.mark.training
@pytest.mark.parametrize("fault", OF_FILES)
def test_a_planted_fault_is_found_and_nothing_else(fault: str) -> None:
    made = draft(1)
    OF_FILES[fault].plant(made)
    verdicts = of_files(finish(made))
    assert verdicts.pop(OF_FILES[fault].found_by) == "alarm"
    assert set(verdicts.values()) == {"fine"}


@pytest.mark.training
@pytest.mark.parametrize("seed", range(8))
def test_a_clean_competition_is_fine(seed: int) -> None:
    assert set(of_files(finish(draft(seed, 120, 60))).values()) == {"fine"}


@pytest.mark.training
def test_random_names_tell_nothing() -> None:
    rng, loud = np.random.default_rng(0), []
    for seed in range(50):
        labels = rng.permutation(np.arange(240) % 2)
        called = [f"{rng.integers(2**40):010x}.jpg" if seed % 2 else f"{number:05d}.jpg" for number in range(240)]
        verdict = names(called, labels, np.arange(240) % 5).verdict
        loud += [seed] if verdict != "fine" else []
    assert loud == []


def test_copies_side_by_side_are_no_order() -> None:
    """Ten frames of each film, named after it: few runs, and honestly so."""
    films = np.random.default_rng(3).permutation(np.arange(60) % 2)
    labels, groups = np.repeat(films, 10), np.repeat(np.arange(60), 10).astype(str)
    called = [
        f"{film}-{frame}.jpg" for film in np.random.default_rng(4).permutation(90_000)[:60] for frame in range(10)
    ]
    folds = np.repeat(np.arange(60) % 5, 10)
    assert names(called, labels, folds).verdict == "alarm"
    assert names(called, labels, folds, list(groups)).verdict == "fine"


def test_runs() -> None:
    runs, expected, z = runs_test(np.array([0, 1] * 20))
    assert (runs, expected) == (40, 21.0)
    assert z == pytest.approx(19 / np.sqrt(20 * 19 / 39))


@pytest.mark.parametrize("quality", [5, 30, 49, 50, 75, 90, 95, 100])
@pytest.mark.parametrize(("code", "sampling"), [(0, "4:4:4"), (1, "4:2:2"), (2, "4:2:0")])
def test_the_header_of_a_jpeg(quality: int, code: int, sampling: str) -> None:
    file = BytesIO()
    pixels = picture(np.random.default_rng(0), fake=False)
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=code, progressive=True, comment="by hand")
    facts = file_facts(file.getvalue())
    assert (facts["quality"], facts["sampling"], facts["progressive"]) == (quality, sampling, True)
    assert (facts["format"], facts["width"], facts["bytes"]) == ("JPEG", 64, len(file.getvalue()))
    assert facts["metadata"] == "JFIF, comment 'by hand'"


def test_a_png_and_a_grey_jpeg() -> None:
    png, grey = BytesIO(), BytesIO()
    Image.new("RGBA", (8, 4)).save(png, "PNG")
    Image.new("L", (8, 8)).save(grey, "JPEG")
    table = facts_of([png.getvalue(), grey.getvalue()], ["a", "b"])
    assert list(table["sampling"]) == ["", "grey"]
    assert list(table["mode"]) == ["RGBA", "L"]
    assert np.isnan(table["quality"][0])
    assert table["quality"][1] == 75


def test_file_size_alone_is_never_an_alarm() -> None:
    rng = np.random.default_rng(0)
    made = draft(0)
    facts = facts_of(finish(made).encoded[:240], [str(n) for n in range(240)])
    large = facts.loc[np.arange(4000) % 240].reset_index(drop=True)
    labels = rng.permutation(np.arange(4000) % 2)
    large["bytes"] = (rng.normal(10_000, 1000, 4000) + 180 * labels).astype(int)
    check = formats(large, labels, np.arange(4000) % 5)
    assert check.verdict == "fine"
    assert "file size is slightly better than chance" in check.sentence
    large["bytes"] = (rng.normal(10_000, 1000, 4000) + 900 * labels).astype(int)
    check = formats(large, labels, np.arange(4000) % 5)
    assert check.verdict == "look"
    assert "Format, quality, sub-sampling and metadata are equal." in check.sentence
    assert "mends nothing" in check.remedy


def test_copies_of_one_label_are_fine_in_one_fold_only() -> None:
    made = draft(2, 60, 20)
    one, other = [row for row, label in enumerate(made.labels) if label][:2]
    made.train[other] = made.train[one]
    competition = finish(made)
    pairs = find_pairs(list(competition.contents.values()), competition.decode(), 30)
    assert [pair.how for pair in pairs] == ["same file"]
    groups = list(competition.train.names)
    groups[pairs[0].second] = groups[pairs[0].first]
    kept = FoldLedger.cut(competition.train.names, competition.train.labels, groups, FoldSettings())
    check = within_train(pairs, kept)
    assert check.verdict == "fine"
    assert "2 of 60 training photographs have a copy" in check.sentence
    torn = kept.table.copy()
    torn.loc[pairs[0].second, "fold"] = (torn.loc[pairs[0].first, "fold"] + 1) % 5
    assert within_train(pairs, FoldLedger(torn, 5, 0, 30)).verdict == "alarm"


@pytest.mark.training
def test_what_was_found_is_kept_and_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    competition = finish(draft(0, 60, 40))
    first = audited(competition, tmp_path)
    content = read_content(OofStore(tmp_path / "planted"))
    assert content is not None
    assert {check.id: check for check in checks_of(content)} == first
    assert "# Audits" in (tmp_path / "planted" / "audit" / "audit.md").read_text()
    monkeypatch.setattr(audits, "_files", lambda material: pytest.fail("audited again"))
    assert audited(competition, tmp_path) == first


@pytest.mark.training
def test_an_audit_that_fails_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ensemble.audit.files.header.facts_of", lambda *_: 1 / 0)
    checks = audited(finish(draft(0, 60, 40)), tmp_path)
    assert checks["formats"].verdict == "not run"
    assert "ZeroDivisionError" in checks["formats"].sentence
    assert checks["names"].verdict == "fine"
    monkeypatch.undo()
    assert audited(finish(draft(0, 60, 40)), tmp_path)["formats"].verdict == "fine", "it is made the next time"


@pytest.mark.training
def test_what_cannot_be_stored_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_competition(tmp_path / "data")
    write_config(tmp_path / "c.yaml", LINEAR)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(audits, "write_audit", full)
        found = run_here("audit", "c.yaml", "--engine", "inline", cwd=tmp_path)
    assert found.returncode == 2
    assert "the results of the audits could not be stored" in found.stdout
    assert run_here("audit", "c.yaml", "--engine", "inline", cwd=tmp_path).returncode == 0


@pytest.mark.training
def test_before_training(tmp_path: Path, competition_folder: Path) -> None:
    from ensemble.cli import main as console  # noqa: F401  its verbs can be imported

    config, oof = write_config(tmp_path / "c.yaml", LINEAR), tmp_path / "oof"
    command(config, competition_folder, oof)
    store = OofStore(oof / "small")
    assert sorted(path.name for path in store.root.iterdir()) == ["audit", "spectra.parquet"]
    assert not store.exists()
    with pytest.raises(UserError, match="no store"):
        find_store(None, oof)
    before = (store.root / "audit" / "audit.json").read_bytes()
    train_inline(config, competition_folder, oof)
    assert (store.root / "audit" / "audit.json").read_bytes() == before, "the run has nothing to audit"
    assert not list(oof.glob("small~*"))
    assert read_audit(store) is not None


@pytest.mark.training
def test_a_store_of_other_data_is_left_alone(tmp_path: Path, competition_folder: Path) -> None:
    config, oof = write_config(tmp_path / "c.yaml", LINEAR), tmp_path / "oof"
    store = train_inline(config, competition_folder, oof)
    before = {path: path.read_bytes() for path in store.root.rglob("*") if path.is_file()}
    command(config, write_competition(tmp_path / "other", first=100), oof)
    assert {path: path.read_bytes() for path in store.root.rglob("*") if path.is_file()} == before
    assert (oof / "small~audit" / "audit" / "audit.json").exists()
    assert find_store(None, oof)[0].root == store.root


@pytest.mark.training
def test_a_run_says_what_asks_for_a_look(
    tmp_path: Path, competition_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = train_inline(write_config(tmp_path / "c.yaml", LINEAR), competition_folder, tmp_path / "oof")
    checks = read_audit(store)
    assert checks is not None
    said = capsys.readouterr().out
    assert "audit alarm: The label can be read from odd number of the name" in said
    assert all(line in said for line in warnings_of(checks))
    experiment = load_experiment(store.root / "experiment.yaml")
    assert experiment.name == "small"
    (store.root / "folds.json").write_text(
        (store.root / "folds.json").read_text().replace('"sha256": "', '"sha256": "0')
    )
    assert read_audit(store) is None, "it is of other folds"


@pytest.mark.training
def test_the_report_judges_the_labels_with_what_members_say(tmp_path: Path, competition_folder: Path) -> None:
    store = train_inline(write_config(tmp_path / "c.yaml", LINEAR), competition_folder, tmp_path / "oof")
    content = read_content(store)
    assert content is not None
    unlearned = {"photographs": 900.0, "auc": 0.5, "error": 0.02, "chance_error": 0.02}
    unlearned |= {"anew_mean": 0.5, "anew_most": 0.52, "anew_spread": 0.02}
    write_audit(store, [judge(unlearned, None)], {key: content[key] for key in ("data_sha256", "folds_sha256")})
    experiment = load_experiment(store.root / "experiment.yaml")
    section = audits_section(Material.of(store, experiment, load_predictions(store, experiment)))
    assert section is not None
    (findings,) = (block for block in section.blocks if isinstance(block, Findings))
    (labels,) = (finding for finding in findings.findings if finding.id == "permutation")
    best = best_auc(load_predictions(store, experiment))
    assert f"The best member reaches an AUC of {best} out of fold" in labels.sentence
    assert labels.verdict == judge(unlearned, best).verdict


def command(config: Path, data: Path, oof: Path) -> None:
    import typer

    from ensemble.audit.command import main

    app = typer.Typer()
    app.command()(main)
    result = CliRunner().invoke(app, [str(config), "--data", str(data), "--oof", str(oof), "--engine", "inline"])
    assert result.exit_code == 0, result.output
    assert "alarm  " in result.output


def test_the_tables_of_files_name_the_right_class_and_set() -> None:
    made = draft(1, 60, 20)
    FAULTS["PNG against JPEG"].plant(made)
    competition = finish(made)
    labels = competition.train.labels
    facts = facts_of(competition.encoded, competition.identities)[:60]
    by_class, sizes = formats(facts, labels, np.arange(60) % 5).tables
    assert {("format", "PNG", 0.0, 100.0), ("format", "JPEG", 100.0, 0.0)} <= set(by_class.rows)
    for row, (called, label) in zip(sizes.rows, (("real", 0), ("fake", 1)), strict=True):
        assert (row[0], row[2]) == (called, int(np.median(facts["bytes"][labels == label])))


def test_the_value_that_only_test_files_have_is_named() -> None:
    made = draft(1, 60, 20)
    FAULTS["another JPEG quality in test"].plant(made)
    competition = finish(made)
    facts = facts_of(competition.encoded, competition.identities)
    by_split, differing = formats_of_test(facts[:60], facts[60:]).tables
    assert ("JPEG quality", 100.0, "60") in differing.rows
    assert {("JPEG quality", "60", 0.0, 100.0), ("JPEG quality", "90", 100.0, 0.0)} <= set(by_split.rows)


def test_a_copy_in_test_is_named_with_its_original() -> None:
    for mirror, how in ((False, "same file"), (True, "mirrored")):
        made = draft(2, 60, 20)
        made.test[7] = np.ascontiguousarray(made.train[30][:, ::-1]) if mirror else made.train[30]
        competition = finish(made)
        train = competition.train
        ledger = FoldLedger.cut(train.names, train.labels, train.names, FoldSettings())
        pairs = find_pairs(list(competition.contents.values()), competition.decode(), 30)
        check = across(pairs, ledger, competition.sample.names)
        assert check.verdict == "look", "one alone may be chance"
        assert "1 of 20 test photographs (5.0%) are also in train" in check.sentence
        (row,) = check.tables[0].rows
        assert row[:4] == ("test0007.jpg", made.names[30], made.labels[30], how)


def test_look_alikes_beyond_the_distance_are_pairs_too() -> None:
    competition = finish(draft(2, 4, 2))
    contents = list(competition.contents.values())
    pairs = find_pairs(contents, competition.decode(), 30, 256)
    assert [(pair.first, pair.second) for pair in pairs] == [(a, b) for a in range(6) for b in range(a + 1, 6)]
    assert all((pair.how == "alike") == (pair.bits > 30) for pair in pairs)
    assert any(pair.how == "alike" for pair in pairs)
    near = [pair for pair in pairs if pair.bits <= 30]
    assert find_pairs(contents, competition.decode(), 30) == near


@pytest.mark.training
def test_an_audit_after_training_looks_at_the_members_too(
    trained: OofStore, competition_folder: Path, tmp_path: Path
) -> None:
    store = OofStore(Path(shutil.copytree(trained.root, tmp_path / "oof" / "small")))
    command(store.root / "experiment.yaml", competition_folder, tmp_path / "oof")
    checks = read_audit(store)
    assert checks is not None
    (found,) = (check for check in checks if check.id == "drift")
    assert found.sentence.startswith("Fewer than 30 photographs"), "not: No member has predicted anything yet"


def test_formats_are_audited_where_test_photographs_are_missing(tmp_path: Path) -> None:
    write_competition(tmp_path / "data")
    (tmp_path / "data" / "test" / "00003.png").unlink()
    competition = Competition.open(tmp_path / "data", DataSettings(on_bad_photograph="skip"))
    subject: Any = SimpleNamespace(competition=competition)
    facts = audits._Inputs(subject, None, None, None, True).facts  # type: ignore[arg-type]
    assert facts["name"].tolist() == [name for name in competition.identities if name != "test/00003.png"]
    assert facts["bytes"].tolist() == [(tmp_path / "data" / name).stat().st_size for name in facts["name"]]


def test_pairs_are_hashed_and_compared_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred thousand pairs with two labels took hours."""
    n = 200
    rows = range(2 * n)
    table = pd.DataFrame({"name": [f"{row:03}" for row in rows], "label": [0, 1] * n})
    table = table.assign(group=[f"{row // 2:03}" for row in rows], fold=[row // 2 % 2 for row in rows])
    calls, hashed, compared = list[Pair](), Pair.__hash__, Pair.__eq__

    def counted_hash(pair: Pair) -> int:
        calls.append(pair)
        return hashed(pair)

    def counted_eq(pair: Pair, other: object) -> bool:
        calls.append(pair)
        return compared(pair, other)

    monkeypatch.setattr(Pair, "__hash__", counted_hash)
    monkeypatch.setattr(Pair, "__eq__", counted_eq)
    check = within_train([Pair(2 * i, 2 * i + 1, "mirrored", 3) for i in range(n)], FoldLedger(table, 2, 0, 30))
    assert check.verdict == "alarm"
    assert len(calls) < 10 * n
