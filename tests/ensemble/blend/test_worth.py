from __future__ import annotations

import numpy as np
import pytest

from ensemble.blend.blenders.greedy import GreedySelection
from ensemble.blend.evaluation.nested import Problem
from ensemble.blend.evaluation.outlook import Outlook, _held_out_path, _one_more, _prefixes, outlook
from ensemble.blend.evaluation.worth import worth
from ensemble.blend.inputs import select_members
from tests.ensemble.blend.worlds import folds_of, problem, world


def by_hand(here: Problem, columns: list[int]) -> np.ndarray:
    """Right decisions of nested greedy selection among some members."""
    right = np.zeros(len(here.labels), dtype=bool)
    for rows in here.held_out:
        others = np.setdiff1d(np.arange(len(right)), rows)
        greedy = GreedySelection().fit(here.logits[others][:, columns], here.labels[others], here.folds[others])
        right[rows] = (greedy.decision_function(here.logits[rows][:, columns]) >= 0) == (here.labels[rows] == 1)
    return right


def test_leave_one_out_and_add_one_equal_those_by_hand() -> None:
    here = problem(500, [0.9, 0.6, 0.5, 0.1])
    found = worth(here, "greedy", 25, list("abcd"), [1.0] * 4)
    assert found.best == "a"
    everyone = by_hand(here, [0, 1, 2, 3])
    for column, member in enumerate(found.members):
        without = by_hand(here, [other for other in range(4) if other != column])
        assert member.without == without.mean()
        assert member.gain.net == everyone.sum() - without.sum()
        if column:
            assert member.added_to_best is not None
            alone = ((here.logits[:, 0] >= 0) == (here.labels == 1)).sum()
            assert member.added_to_best.net == by_hand(here, [0, column]).sum() - alone


def test_leave_one_out_of_the_plain_mean() -> None:
    here = problem(400, [0.9, 0.6, -0.5])
    found = worth(here, "mean", 25, list("abc"), [60.0] * 3)
    truth = here.labels == 1
    full = ((here.logits.mean(axis=1) >= 0) == truth).sum()
    for column, member in enumerate(found.members):
        rest = np.delete(here.logits, column, axis=1)
        assert member.gain.net == full - ((rest.mean(axis=1) >= 0) == truth).sum()
    assert found.members[0].seconds_per_point == pytest.approx(0.6 / found.members[0].gain.difference)
    assert found.members[2].gain.net < 0
    assert found.members[2].seconds_per_point == np.inf


def test_rescued_photographs_are_those_that_nobody_else_decides_rightly() -> None:
    here = problem(200, [0.5, 0.5, 0.5])
    found = worth(here, "greedy", 5, list("abc"), [1.0] * 3)
    rights = (here.logits >= 0) == (here.labels == 1)[:, None]
    for column, member in enumerate(found.members):
        alone = [row for row in range(200) if rights[row, column] and rights[row].sum() == 1]
        assert member.rescues == len(alone)
        assert member.rescued == alone[:20]


def test_copies_err_like_one_and_strangers_like_many() -> None:
    logits, labels = world(3000, [0.7])
    copies = Problem(np.asfortranarray(np.repeat(logits, 4, axis=1)), 4, labels, folds_of(3000))
    assert worth(copies, "mean", 5, list("abcd"), [1.0] * 4).effective_members == pytest.approx(1)
    strangers = worth(problem(3000, [0.7] * 4), "mean", 5, list("abcd"), [1.0] * 4)
    assert strangers.effective_members == pytest.approx(4, abs=0.1)


def test_a_member_that_never_errs_has_no_correlation_of_errors() -> None:
    found = worth(problem(200, [0.5, 30.0]), "greedy", 5, ["a", "b"], [1.0, 1.0])
    assert np.isnan(found.error_correlation[1]).all()
    assert found.effective_members == pytest.approx(1), "of those that err"


def test_one_member_alone() -> None:
    found = worth(problem(100, [0.5]), "mean", 5, ["a"], [1.0])
    assert found.members[0].added_to_best is None


def told(here: Problem, recipes: list[dict[str, object] | None] | None = None) -> Outlook:
    names = [str(member) for member in range(here.members)]
    found = worth(here, "greedy", 25, names, [1.0] * here.members)
    return outlook(here, found, recipes or [None] * here.members, 25)


def test_what_next_expects_more_of_few_members_than_of_many() -> None:
    few, many = (told(problem(4000, [0.5] * n)) for n in (2, 12))
    assert few.another_member is not None
    assert many.another_member is not None
    assert few.another_member > many.another_member > 0
    assert few.another_member > few.standard_error
    assert "worth a try" in few.lines()[-1]
    assert (np.diff(many.path[:4]) > 0).all()


def test_what_next_promises_no_more_than_there_are_errors() -> None:
    """One member that decides all rightly: nothing is left to gain."""
    perfect = told(problem(300, [20.0, 20.0]))
    assert perfect.another_member == 0
    assert "no more than one standard error" in perfect.lines()[-1]
    saturated = told(problem(300, [0.3, 20.0]))
    assert saturated.another_member == 0
    assert _one_more(np.array([0.3, 0.0])) == 0, "the curve would fall by 0.04"
    assert _one_more(np.array([0.3, 0.01])) == pytest.approx(0.01)


def test_what_next_is_unknown_for_one_member() -> None:
    alone = told(problem(300, [0.7]))
    assert alone.another_member is None
    assert "unknown, a single member" in alone.lines()[0]
    assert "add a second member" in alone.lines()[-1]


def test_what_next_measures_what_a_second_seed_added_to_the_blend() -> None:
    here = problem(2000, [0.6, 0.6, 0.9])
    recipes: list[dict[str, object] | None] = [
        {"model": "a", "seed": 0},
        {"model": "a", "seed": 1},
        {"model": "b", "seed": 0},
    ]
    gains = [by_hand(here, [0, 1, 2]).mean() - by_hand(here, rest).mean() for rest in ([1, 2], [0, 2])]
    assert told(here, recipes).another_seed == pytest.approx(np.mean(gains))
    assert told(here, [None, *recipes[1:]]).another_seed is None


@pytest.mark.parametrize(
    ("folds", "members", "rows"),
    [
        ([5, 5, 5, 5], [0, 1, 2, 3], 5),  # all complete
        ([5, 3, 0, 0], [0, 1], 3),  # in mid-run: two members on three folds bring more than one on five
        ([5, 5, 5, 1], [0, 1, 2], 5),  # a beginner waits
        ([5, 5, 5, 4], [0, 1, 2, 3], 4),  # one lost a fold
        ([2, 1, 0, 0], [0], 2),  # two folds can be held out of each other
        ([1, 1, 0, 0], [0, 1], 1),  # nothing can be held out yet
    ],
)
def test_members_take_part_on_rows_that_all_have_predicted(folds: list[int], members: list[int], rows: int) -> None:
    there = np.arange(5)[:, None] < np.array(folds)
    of_rows = np.repeat(np.arange(5), 3)
    used, found = select_members(there, of_rows)
    assert used.tolist() == members
    assert sorted(set(of_rows[found])) == list(range(rows))


def test_members_without_a_common_fold_do_not_leave_a_blend_of_nothing() -> None:
    """As early in a run, where the second fold of one is done before its first."""
    done = np.array([[True, True, False], [False, False, True]])
    used, rows = select_members(done, np.array([0, 0, 1, 1]))
    assert (used.tolist(), rows.tolist()) == ([0, 1], [0, 1])


def test_members_without_a_common_fold() -> None:
    there = np.array([[True, False], [True, False], [False, True]])
    used, found = select_members(there, np.array([0, 1, 2]))
    assert (used.tolist(), found.tolist()) == ([0], [0, 1])


def test_one_more_member_is_the_next_step_of_the_curve() -> None:
    errors = 0.1 + 0.3 / np.arange(1, 6)
    assert _one_more(errors) == pytest.approx(0.3 / 5 - 0.3 / 6)
    assert _one_more(np.full(4, 0.2)) == pytest.approx(0)


def test_the_path_is_held_out_and_reads_members_only() -> None:
    here, right = problem(300, [0.0] * 20), 0
    for rows in here.held_out:
        others = np.setdiff1d(np.arange(300), rows)
        pick = GreedySelection().fit(here.logits[others], here.labels[others], here.folds[others]).picks_[0]
        right += int(((here.logits[rows, pick] >= 0) == (here.labels[rows] == 1)).sum())
    path = _held_out_path(here, 25)
    assert path[0] == pytest.approx(right / 300)
    leak = np.asfortranarray(np.column_stack([here.logits, here.labels - 0.5]).astype(np.float32))
    np.testing.assert_array_equal(_held_out_path(Problem(leak, 20, here.labels, here.folds), 25), path)
    assert _prefixes([2, 2, 0, 2, 1], 4) == [[2, 2], [2, 2, 0, 2], [2, 2, 0, 2, 1], [2, 2, 0, 2, 1]]


def test_the_advice_goes_by_the_larger_gain() -> None:
    lines = Outlook(np.array([0.9]), 0.001, 0.02, 0.01).lines()
    assert lines[0] == "another kind of member: +0.0010 expected, from the path of greedy selection"
    assert lines[1].startswith("another seed: +0.0200")
    assert lines[2] == "more than one standard error of the accuracy (0.0100): worth a try"
    assert Outlook(np.array([0.9]), 0.01, None, 0.01).lines()[-1].startswith("no more than one")
    two = told(problem(4000, [0.5] * 2))
    assert two.standard_error == pytest.approx(np.sqrt(two.path[-1] * (1 - two.path[-1]) / 4000))
