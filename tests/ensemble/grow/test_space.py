"""The space of a search: what paths reach, what is refused, and that nothing else of a member changes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ensemble.config.members import MemberSettings
from ensemble.config.reading import load_experiment
from ensemble.core.errors import UserError
from ensemble.grow.space import current_values, distributions, from_optuna, to_optuna, with_values
from tests import ROOT

MEMBER = {
    "name": "linear",
    "features": {"use": "members.forensics.LogDCT", "cell": 16, "layers": ["a", "b"]},
    "model": {
        "use": "sklearn.pipeline.Pipeline",
        "steps": [["scale", {"use": "x.Scaler"}], ["logistic", {"use": "x.Regression", "C": 0.01, "depth": 3}]],
    },
}


def member(**tune: Any) -> MemberSettings:
    return MemberSettings.model_validate({**MEMBER, "tune": {k.replace("__", "."): v for k, v in tune.items()}})


TUNED = member(
    model__steps__1__1__C={"low": 1e-4, "high": 100, "log": True},
    model__steps__1__1__depth={"low": 1, "high": 9},
    features__layers={"choices": [["a"], ["a", "b"]]},
)


def test_a_search_begins_with_the_values_of_the_config() -> None:
    assert current_values(TUNED) == {
        "model.steps.1.1.C": 0.01,
        "model.steps.1.1.depth": 3,
        "features.layers": ["a", "b"],
    }


@given(st.floats(1e-4, 100), st.integers(1, 9), st.sampled_from([["a"], ["a", "b"]]))
def test_other_values_change_these_settings_alone(c: float, depth: int, layers: list[str]) -> None:
    values = {"model.steps.1.1.C": c, "model.steps.1.1.depth": depth, "features.layers": layers}
    changed = with_values(TUNED, values, "other")
    assert from_optuna(TUNED, to_optuna(TUNED, values)) == values
    assert changed.name == "other"
    assert changed.model.parameters["steps"][1][1] == {"use": "x.Regression", "C": c, "depth": depth}
    assert changed.model.parameters["steps"][0] == MEMBER["model"]["steps"][0]  # type: ignore[index]
    assert changed.features is not None
    assert changed.features.parameters == {"cell": 16, "layers": layers}
    assert with_values(TUNED, current_values(TUNED), "linear").recipe == TUNED.recipe


def test_whole_numbers_stay_whole() -> None:
    kinds = {path: type(each).__name__ for path, each in distributions(TUNED).items()}
    assert kinds == {
        "model.steps.1.1.C": "FloatDistribution",
        "model.steps.1.1.depth": "IntDistribution",
        "features.layers": "CategoricalDistribution",
    }


def test_the_space_is_no_part_of_the_recipe() -> None:
    """A member whose space changes is not trained again."""
    assert TUNED.recipe == member().recipe


@pytest.mark.parametrize(
    ("tune", "words"),
    [
        ({}, "member linear has nothing to search; add to it"),
        ({"alpha": {"low": 1, "high": 2}}, "a path begins with model or features"),
        ({"model__stepz__0": {"low": 1, "high": 2}}, "there is no stepz; did you mean steps?"),
        ({"model__steps__7": {"low": 1, "high": 2}}, "the list has the entries 0 to 1"),
        ({"features__cell__x": {"low": 1, "high": 2}}, "cell has no settings"),
        ({"model__steps__1__1__D": {"low": 1, "high": 2}}, "the member does not set it"),
        ({"model__use": {"choices": ["x.A", "x.B"]}}, "a class cannot be tuned"),
        ({"features__cell": {"low": 20, "high": 30}}, "its value 16 is not in the search space"),
        ({"features__cell": {"choices": [8, 32]}}, "its value 16 is not in the search space"),
    ],
)
def test_spaces_that_cannot_be_searched_are_refused(tune: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as caught:
        current_values(member(**tune))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "space", [{"low": 2, "high": 2}, {"low": 0, "high": 1, "log": True}, {"choices": [1]}, {"low": 1}, {"step": 1}]
)
def test_spaces_that_are_none_are_refused(space: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        member(features__cell=space)


@pytest.mark.parametrize("name", ["baseline", "cpu", "cpu_long", "demo", "finetune", "forensics", "gpu", "hub"])
def test_all_members_of_ours_can_be_tuned_and_the_search_can_begin_with_them(name: str) -> None:
    members = load_experiment(ROOT / "configs" / f"{name}.yaml").members
    assert all(current_values(each) for each in members)
    assert all(not distribution.single() for each in members for distribution in distributions(each).values())
