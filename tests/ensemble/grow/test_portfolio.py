"""Portfolios: candidates beside the members of a config."""

from __future__ import annotations

from pathlib import Path

import pytest

from ensemble.config.reading import load_experiment
from ensemble.core.errors import UserError
from ensemble.grow.choosing import candidates
from ensemble.training.checks import check_members

CONFIGS = Path(__file__).parents[3] / "configs"


def test_our_portfolio_has_the_members_of_our_config_and_others() -> None:
    experiment, portfolio = load_experiment(CONFIGS / "cpu.yaml"), load_experiment(CONFIGS / "portfolio.yaml").members
    found = candidates(experiment, portfolio)
    assert [member.name for member in found[:3]] == [member.name for member in experiment.members]
    assert len(found) == len(portfolio), "each member of the config is one of the portfolio's"
    check_members(found)


@pytest.mark.parametrize("config", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_it_goes_with_any_config_of_ours(config: Path) -> None:
    experiment, portfolio = load_experiment(config), load_experiment(CONFIGS / "portfolio.yaml").members
    names = [member.name for member in candidates(experiment, portfolio)]
    assert names[: len(experiment.members)] == [member.name for member in experiment.members]


def test_two_different_members_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("name: x\nmembers: [{name: a, model: {use: x.A}}]")
    (tmp_path / "p.yaml").write_text("name: p\nmembers: [{name: a, model: {use: x.B}}]")
    with pytest.raises(UserError, match="different members named a"):
        candidates(load_experiment(tmp_path / "c.yaml"), load_experiment(tmp_path / "p.yaml").members)
