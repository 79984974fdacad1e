"""The score of a game: against numbers of textbooks, and against simulated players."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.serve.game.score import Round, score_of

NORMAL = NormalDist()
rounds = st.lists(
    st.builds(Round, fake=st.booleans(), said_fake=st.booleans(), sure=st.floats(0.5, 1), probability=st.none()),
    min_size=1,
    max_size=60,
)


def played(hits: int, fakes: int, alarms: int, reals: int) -> list[Round]:
    answers = [(True, number < hits) for number in range(fakes)] + [(False, number < alarms) for number in range(reals)]
    return [Round(fake=fake, said_fake=said, sure=0.8, probability=0.9 if fake else 0.1) for fake, said in answers]


@given(rounds)
def test_a_score_is_finite_and_counts_every_picture(game: list[Round]) -> None:
    score = score_of(game)
    assert score.pictures == len(game) == score.fakes + score.reals
    assert score.correct == score.hits + score.reals - score.false_alarms
    assert sum(each.pictures for each in score.calibration) == len(game)
    assert sum(each.correct for each in score.calibration) == score.correct
    assert score.accuracy.low <= score.accuracy.value <= score.accuracy.high
    assert (score.sensitivity is None) == (score.fakes == 0 or score.reals == 0)
    if score.sensitivity and score.criterion:
        assert abs(score.sensitivity.value) < 6
        assert score.sensitivity.low < score.sensitivity.value < score.sensitivity.high


@given(rounds)
def test_a_player_who_says_the_opposite_has_the_opposite_sensitivity(game: list[Round]) -> None:
    one = score_of(game)
    other = score_of([each.model_copy(update={"said_fake": not each.said_fake}) for each in game])
    if one.sensitivity and other.sensitivity and one.criterion and other.criterion:
        assert other.sensitivity.value == pytest.approx(-one.sensitivity.value)
        assert other.criterion.value == pytest.approx(-one.criterion.value)
    assert one.correct + other.correct == len(game)


def test_numbers_are_those_of_the_textbook() -> None:
    """Hits .8 and false alarms .2 of many: d' is z(.8) - z(.2), and no bias."""
    score = score_of(played(800, 1000, 200, 1000))
    assert score.sensitivity is not None
    assert score.criterion is not None
    assert score.sensitivity.value == pytest.approx(2 * NORMAL.inv_cdf(0.8), abs=0.01)
    assert score.criterion.value == pytest.approx(0, abs=0.01)
    error = (2 * 0.8 * 0.2 / (1000 * NORMAL.pdf(NORMAL.inv_cdf(0.8)) ** 2)) ** 0.5
    assert score.sensitivity.high - score.sensitivity.low == pytest.approx(2 * 1.96 * error, rel=0.01)
    assert score.criterion.high - score.criterion.low == pytest.approx(1.96 * error, rel=0.01)
    assert score.overconfidence == pytest.approx(0)
    assert score.ensemble is not None
    assert score.ensemble.value == 1


def test_intervals_hold_the_truth_of_simulated_players() -> None:
    rng, sensitivity, criterion, inside = np.random.default_rng(0), 1.2, 0.3, 0
    for _ in range(400):
        evidence = rng.normal(size=40) + np.repeat([sensitivity / 2, -sensitivity / 2], 20)
        said = evidence > criterion
        score = score_of(played(int(said[:20].sum()), 20, int(said[20:].sum()), 20))
        assert score.sensitivity is not None
        inside += score.sensitivity.low <= sensitivity <= score.sensitivity.high
    assert inside / 400 > 0.9


def test_the_ensemble_is_compared_only_where_it_has_answered_about_all() -> None:
    game = [*played(1, 2, 0, 2), Round(fake=True, said_fake=True, sure=0.5, probability=None)]
    assert score_of(game).ensemble is None
