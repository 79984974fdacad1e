"""Answers about photographs: what is said, in which words, where to, and that no interruption costs what was done."""

from __future__ import annotations

import json
import math
import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ensemble.core.metrics.intervals import wilson_interval
from ensemble.core.storage.lock import only_writer
from ensemble.predict.bundle.manifest import MANIFEST, Rate, Verdicts
from ensemble.predict.photographs.sources import Source
from ensemble.predict.predictor import Bundle, load_bundle
from ensemble.predict.unfinished import UnfinishedRows
from ensemble.predict.verdicts import (
    CANNOT,
    NO,
    SOME,
    STRONG,
    false_positives,
    in_words,
    limits_for,
    verdict_of,
    weight_of,
)
from tests.commands import run_here, run_process
from tests.competitions import photograph

pytestmark = pytest.mark.training

logits = st.lists(st.floats(-30, 30), min_size=1, max_size=200)


@given(st.lists(logits, min_size=1, max_size=4), st.floats(0, 0.5))
def test_limits_hold_their_rate_on_every_group(groups: list[list[float]], rate: float) -> None:
    limit = limits_for(groups, rate)
    assert limit >= 0, "nothing below the threshold is evidence"
    for group in groups:
        assert sum(value >= limit for value in group) <= math.floor(rate * (len(group) + 1) + 1e-9)


@given(st.lists(logits, min_size=1, max_size=4), st.floats(0, 0.5))
def test_limits_are_no_larger_than_they_must_be(groups: list[list[float]], rate: float) -> None:
    limit = limits_for(groups, rate)
    if limit > 0:
        lower = limit - max(3e-6, 3e-6 * limit)
        rank = [max(math.floor(rate * (len(group) + 1) - 1e-9), 1) for group in groups]
        assert any(sum(v >= lower for v in group) >= least for group, least in zip(groups, rank, strict=True))


def test_another_real_photograph_reaches_a_limit_at_the_stated_rate() -> None:
    """On average over samples: the rate of the sample itself would be smaller, by a photograph."""
    rng, rates = np.random.default_rng(0), []
    for _ in range(4_000):
        limit = limits_for([(10 + rng.normal(size=200)).tolist()], 0.02)
        rates.append(1 - statistics.NormalDist(10).cdf(limit))
    assert np.mean(rates) == pytest.approx(0.02, abs=4 * np.std(rates) / math.sqrt(len(rates)))


def rate(title: str, real: int, strong: int, some: int, *, guaranteed: bool = True) -> Rate:
    counts = {"strong_false": strong, "some_false": some, "strong_found": 8, "some_found": 9}
    return Rate(
        variant=title,
        title=title,
        guaranteed=guaranteed,
        real=real,
        fake=10,
        undecided_real=0,
        undecided_fake=0,
        **counts,
    )


def test_the_weight_of_a_verdict_is_of_exactly_that_verdict_on_the_worst_variant() -> None:
    rates = (rate("clean", 200, 1, 5), rate("blur", 200, 50, 90, guaranteed=False))
    verdicts = Verdicts(strong=3.0, some=1.0, strong_rate=0.005, some_rate=0.02, rates=rates)
    for verdict, fakes, reals in ((STRONG, 8, 1), (SOME, 1, 4), (NO, 1, 195)):
        weight = weight_of(verdict, verdicts)
        assert weight is not None
        assert weight.fakes == pytest.approx(wilson_interval(fakes, 10)[0])
        assert weight.reals == pytest.approx(wilson_interval(reals, 200)[1])
    assert weight_of(CANNOT, verdicts) is None


def test_a_weight_is_that_of_the_worst_of_several_variants() -> None:
    changes = {"strong_found": 4, "some_found": 5, "undecided_fake": 2, "undecided_real": 140}
    rates = (rate("clean", 200, 1, 5), rate("jpeg", 200, 3, 9).model_copy(update=changes))
    verdicts = Verdicts(strong=3.0, some=1.0, strong_rate=0.005, some_rate=0.02, rates=rates)
    expected = {STRONG: ((4, 8), (3, 60)), SOME: ((1, 10), (6, 60)), NO: ((1, 10), (195, 200))}
    for verdict, (fakes, reals) in expected.items():
        weight = weight_of(verdict, verdicts)
        assert weight is not None
        assert weight.fakes == pytest.approx(wilson_interval(*fakes)[0])
        assert weight.reals == pytest.approx(wilson_interval(*reals)[1])
    tied = verdicts.model_copy(update={"rates": (rate("many", 200, 0, 0), rate("few", 60, 0, 0))})
    found = false_positives(STRONG, tied)
    assert found is not None
    assert (found.variant, found.real) == ("few", 60), "of equal shares the less certain one"


def test_the_worst_rate_of_those_that_hold_is_stated() -> None:
    rates = (rate("clean", 200, 1, 2), rate("jpeg", 200, 0, 4), rate("blur", 200, 50, 90, guaranteed=False))
    verdicts = Verdicts(strong=3.0, some=1.0, strong_rate=0.005, some_rate=0.02, rates=rates)
    assert [verdict_of(value, verdicts) for value in (5.0, 3.0, 2.0, 0.9, -4.0)] == [STRONG, STRONG, SOME, NO, NO]
    strong, some = (false_positives(verdict, verdicts) for verdict in (STRONG, SOME))
    assert strong is not None
    assert some is not None
    assert (strong.share, strong.variant) == (0.005, "clean")
    assert (some.share, some.variant) == (0.02, "jpeg")
    assert some.low < 0.02 < some.high
    assert false_positives(NO, verdicts) is None
    assert "2.0%" in in_words(SOME, verdicts)
    undecided = rate("webp", 200, 0, 3).model_copy(update={"undecided_real": 140})
    worse = false_positives(SOME, verdicts.model_copy(update={"rates": (*rates, undecided)}))
    assert worse is not None
    assert (worse.share, worse.real, worse.variant) == (3 / 60, 60, "webp"), "of those about which something was said"


def test_no_word_calls_a_photograph_real(made: Path) -> None:
    verdicts = load_bundle(made).manifest.verdicts
    said = " ".join(
        [STRONG, SOME, NO, CANNOT, *(in_words(verdict, verdicts) for verdict in (STRONG, SOME, NO, CANNOT))]
    )
    assert "is real" not in said
    assert "authentic" not in said
    assert "does not show that a camera took" in in_words(NO, verdicts)


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """Photographs of the right size and of another, and what is none."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    for number in range(5):
        Image.fromarray(photograph(500 + number, fake=number % 2 == 1)).save(folder / f"{number}.png")
    Image.fromarray(photograph(7, fake=False, size=48)).save(folder / "larger.jpg")
    (folder / "text.jpg").write_text("not a photograph")
    return folder


def test_every_photograph_gets_a_row_in_order(made: Path, inbox: Path, tmp_path: Path) -> None:
    result = run_here("predict", made, inbox, inbox / "0.png", "nowhere.jpg", cwd=tmp_path)
    assert result.returncode == 2
    assert "nowhere.jpg does not exist" in result.stderr
    result = run_here("predict", made, inbox, inbox / "0.png", "-o", "answers.csv", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    table = pd.read_csv(tmp_path / "answers.csv")
    names = ["0.png", "1.png", "2.png", "3.png", "4.png", "larger.jpg", "text.jpg", "0.png"]
    assert [Path(name).name for name in table["name"]] == names
    assert table["probability"].notna().tolist() == [True] * 5 + [False] * 2 + [True]
    assert table["verdict"].iloc[5:7].tolist() == [CANNOT, CANNOT]
    assert "48 x 48 pixels instead of 32 x 32" in table["reason"].iloc[5]
    assert table["width"].iloc[5] == 48
    assert table["probability"].iloc[0] == pytest.approx(table["probability"].iloc[-1], abs=2e-6)
    assert f"cannot say: {table['verdict'].eq(CANNOT).sum()} photographs" in result.stderr
    assert "No verdict is a proof" in result.stderr


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_the_kinds_of_output_hold_the_same(made: Path, inbox: Path, tmp_path: Path, suffix: str) -> None:
    bundle = load_bundle(made)
    expected = pd.DataFrame([each.row(bundle.members) for each in bundle.predict(sorted(inbox.iterdir()))])
    assert run_here("predict", made, inbox, "-o", f"out/a.{suffix}", cwd=tmp_path).returncode == 0
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet, "jsonl": lambda path: pd.read_json(path, lines=True)}
    found = read[suffix](tmp_path / "out" / f"a.{suffix}")
    assert list(found) == list(expected)
    np.testing.assert_allclose(found["probability"], expected["probability"].astype(float), atol=1e-9)
    assert found["verdict"].tolist() == expected["verdict"].tolist()
    left = [path.name for path in (tmp_path / "out").iterdir() if path.suffix != ".lock"]
    assert left == [f"a.{suffix}"], "nothing else is left beside it"


def test_the_screen_gets_csv_and_nothing_else(made: Path, inbox: Path, tmp_path: Path) -> None:
    result = run_here("predict", made, inbox, cwd=tmp_path)
    lines = result.stdout.splitlines()
    assert len(lines) == 8
    assert lines[0].startswith("name,probability,verdict,reason,false_positive_rate")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-o", "answers.xlsx"], "name a file that ends in .csv, .jsonl, .parquet"),
        (["-o", "."], "name a file that ends in"),
        (["inbox/list.csv", "-o", "inbox/list.csv"], "is one of the inputs"),
        (["--engine", "spark"], "--engine takes inline or ray, not 'spark'"),
    ],
)
def test_mistakes_are_told_before_anything_is_asked(
    made: Path, inbox: Path, tmp_path: Path, arguments: list[str], words: str
) -> None:
    result = run_here("predict", made, inbox, *arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


def interrupt_once(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Interrupt a prediction after three answers; returns the names that are asked about, also later."""
    asked: list[str] = []
    really = Bundle.answers

    def interrupted(bundle: Bundle, photographs: Any) -> Any:
        for answer in really(bundle, photographs):
            asked.append(answer.name)
            yield answer
            if len(asked) == 3:
                raise KeyboardInterrupt

    monkeypatch.setattr(Bundle, "answers", interrupted)
    return asked


def test_an_interrupted_prediction_goes_on_where_it_was(
    made: Path, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_here("predict", made, inbox, "-o", "whole.csv", cwd=tmp_path).returncode == 0
    asked = interrupt_once(monkeypatch)
    first = run_here("predict", made, inbox, "-o", "a.csv", cwd=tmp_path)
    assert first.returncode == 130
    assert "run the same command to continue" in first.stderr
    assert not (tmp_path / "a.csv").exists()
    assert run_here("predict", made, inbox, "-o", "a.csv", cwd=tmp_path).returncode == 0
    assert len(asked) == len(set(asked)) == 7, "none is asked twice"
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "a.csv"), pd.read_csv(tmp_path / "whole.csv"), atol=2e-6)
    assert not list(tmp_path.glob(".*unfinished*"))


def test_a_photograph_that_was_replaced_is_asked_about_again(tmp_path: Path) -> None:
    one = Source("a.png", tmp_path / "a.png")
    one.path.write_bytes(b"one")
    before = one.signature
    one.path.write_bytes(b"another")
    assert one.signature != before
    assert Source("a.png", tmp_path / "other" / "a.png").signature[1] != before[1]


def test_two_runs_do_not_write_the_same_answers(made: Path, inbox: Path, tmp_path: Path) -> None:
    with only_writer(tmp_path / "a.csv", "predict"):
        result = run_here("predict", made, inbox, "-o", "a.csv", cwd=tmp_path)
    assert result.returncode == 2
    assert "another process is writing to a.csv (predict); wait for it" in result.stderr
    assert run_here("predict", made, inbox, "-o", "a.csv", cwd=tmp_path).returncode == 0


def test_rows_of_another_question_are_not_gone_on_with(tmp_path: Path) -> None:
    UnfinishedRows(tmp_path / "a.csv", ["one"]).add_all(iter([{"name": "a"}, {"name": "b"}]))
    assert len(list(UnfinishedRows(tmp_path / "a.csv", ["one"]).rows())) == 2
    assert not list(UnfinishedRows(tmp_path / "a.csv", ["another"]).rows())
    path = UnfinishedRows(tmp_path / "a.csv", ["one"]).path
    whole = path.read_text()
    for cut in (1, 3):  # killed before the end of a line, and within it
        path.write_text(whole[:-cut])
        again = UnfinishedRows(tmp_path / "a.csv", ["one"])
        assert len(list(again.rows())) == 1
        again.add_all(iter([{"name": "c"}, {"name": "d"}]))
        assert [row["name"] for row in again.rows()] == ["a", "c", "d"]


def test_a_link_to_itself_is_no_photograph(made: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to("a.png")
    found = run_here("predict", made, "a.png", "-o", "a.csv", cwd=tmp_path)
    assert found.returncode == 2
    assert "a.png does not exist" in found.stderr
    assert not (tmp_path / "a.csv").exists()


@pytest.mark.process
def test_a_terminal_without_the_characters_of_a_name(made: Path, inbox: Path, tmp_path: Path) -> None:
    (tmp_path / "写真.png").write_bytes((inbox / "0.png").read_bytes())
    found = run_process("predict", made, "写真.png", cwd=tmp_path, PYTHONIOENCODING="ascii:strict")
    assert found.returncode == 0, found.stderr
    assert "\\u5199" in found.stdout


def test_arrays_bytes_and_paths_are_all_photographs(made: Path, inbox: Path) -> None:
    path = inbox / "0.png"
    pixels = np.asarray(Image.open(path))
    odd = [np.zeros((32, 32)), np.zeros((32, 32, 4), np.uint8), inbox / "gone.png", b""]
    found = load_bundle(made).predict([path, str(path), path.read_bytes(), pixels, *odd])
    assert len({answer.probability for answer in found[:4]}) == 1
    assert {answer.verdict for answer in found[4:]} == {CANNOT}
    assert all(answer.reason for answer in found[4:])


def test_what_is_unlike_the_training_photographs_is_not_judged(made: Path) -> None:
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[::2] = 255
    (answer,) = load_bundle(made).predict([stripes])
    assert answer.verdict == CANNOT
    assert answer.doubt is not None
    assert answer.doubt > 1
    assert "unlike the photographs" in answer.reason


@pytest.mark.ray
@pytest.mark.usefixtures("on_ray")
def test_a_cluster_answers_as_this_process_does(made: Path, inbox: Path, tmp_path: Path) -> None:
    result = run_process("predict", made, inbox, "-o", "ray.csv", "--engine", "ray", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert run_here("predict", made, inbox, "-o", "here.csv", cwd=tmp_path).returncode == 0
    ray, here = pd.read_csv(tmp_path / "ray.csv"), pd.read_csv(tmp_path / "here.csv")
    pd.testing.assert_frame_equal(ray, here, atol=1e-5)


def test_a_manifest_is_json_that_others_can_read(made: Path) -> None:
    content = json.loads((made / MANIFEST).read_text())
    assert content["schema_number"] == 1
    assert [member["name"] for member in content["members"]] == ["linear", "boosted", "ridge", "frozen", "cnn"]
    assert content["verdicts"]["rates"][0]["real"] == 20


@pytest.mark.usefixtures("on_ray")
def test_more_cores_than_a_node_has_are_refused(made: Path, inbox: Path, tmp_path: Path) -> None:
    """Ray would wait for a larger node without a word."""
    found = run_here("predict", made, inbox, "--engine", "ray", "--threads", 64, cwd=tmp_path)
    assert found.returncode == 2
    assert "no node of Ray has 64 cores" in found.stderr


def test_answers_of_another_bundle_are_not_gone_on_with(
    bundle: Path, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = interrupt_once(monkeypatch)
    assert run_here("predict", bundle, inbox, "-o", "a.csv", cwd=tmp_path).returncode == 130
    content = json.loads((bundle / MANIFEST).read_text())
    content["verdicts"]["strong"] += 1
    (bundle / MANIFEST).write_text(json.dumps(content))
    assert run_here("predict", bundle, inbox, "-o", "a.csv", cwd=tmp_path).returncode == 0
    assert len(asked) == 3 + 7


def test_an_interruption_promises_nothing_that_is_not_kept(
    made: Path, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(Bundle, "answers", interrupted)
    found = run_here("predict", made, inbox, cwd=tmp_path)
    assert found.returncode == 130
    assert "nothing is stored" in found.stderr


def test_what_a_killed_run_has_left_is_removed(made: Path, inbox: Path, tmp_path: Path) -> None:
    left = tmp_path / f".unfinished-{'0' * 32}-a.csv"
    left.write_text("half")
    assert run_here("predict", made, inbox, "-o", "a.csv", cwd=tmp_path).returncode == 0
    assert not left.exists()


def test_ray_that_is_not_installed_is_said(
    made: Path, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "ensemble.predict.on_ray", raising=False)
    found = run_here("predict", made, inbox, "--engine", "ray", cwd=tmp_path)
    assert found.returncode == 2
    assert "this needs ray, which is not installed here" in found.stderr


def test_an_address_that_nothing_supports_is_one_sentence(made: Path, tmp_path: Path) -> None:
    for words in (
        ("serve", made, "--play", "foo://x"),
        ("predict", made, "foo://x"),
        ("predict", made, "a.png", "-o", "foo://x"),
    ):
        found = run_here(*words, cwd=tmp_path)
        assert found.returncode == 2
        assert "no library is installed for addresses that begin with foo://" in found.stderr
