"""Members from recipes: whatever can be imported, with its seed and threads under whatever names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ensemble.config.members import MemberSettings
from ensemble.engine.recipes.build import build, build_model


def member(model: dict[str, Any], **settings: Any) -> MemberSettings:
    return MemberSettings.model_validate(
        {"name": "m", "model": model, "seed": 5, "resources": {"num_cpus": 3}} | settings
    )


class LikeCatBoost:
    """Lists only the parameters that were set, as CatBoost does."""

    def __init__(
        self, random_seed: int | None = None, thread_count: int | None = None, depth: int | None = None
    ) -> None:
        values = {"random_seed": random_seed, "thread_count": thread_count, "depth": depth}
        self.given = {name: value for name, value in values.items() if value is not None}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return dict(self.given)

    def set_params(self, **values: Any) -> LikeCatBoost:
        self.given.update(values)
        return self

    def fit(self, X: Any, y: Any) -> LikeCatBoost:
        return self

    def predict_proba(self, X: Any) -> Any:
        return np.full((len(X), 2), 0.5)


OTHER = f"{__name__}.LikeCatBoost"


def test_seed_and_threads_reach_estimators_that_do_not_list_them() -> None:
    found: Any = build_model(member({"use": OTHER, "depth": 4}), fold=2)
    assert found.given == {"depth": 4, "random_seed": 7, "thread_count": 3}
    chosen: Any = build_model(member({"use": OTHER, "random_seed": 1, "thread_count": 8}), fold=2)
    assert chosen.given == {"random_seed": 1, "thread_count": 3}


def test_and_inside_a_pipeline() -> None:
    steps = [["scale", {"use": "sklearn.preprocessing.StandardScaler"}], ["model", {"use": OTHER}]]
    found: Any = build_model(member({"use": "sklearn.pipeline.Pipeline", "steps": steps}), fold=0)
    assert found.steps[1][1].given == {"random_seed": 5, "thread_count": 3}


def test_scikit_learn_keeps_its_own_names() -> None:
    found: Any = build_model(member({"use": "sklearn.ensemble.RandomForestClassifier"}), fold=1)
    assert (found.random_state, found.n_jobs) == (6, None)


def test_functions_classes_and_tuples_can_be_written() -> None:
    assert build({"use": "builtins.dict", "f": {"import": "numpy.mean"}, "t": {"tuple": [1, {"tuple": [2]}]}}) == {
        "f": np.mean,
        "t": (1, (2,)),
    }


@pytest.mark.parametrize(
    ("classes", "column"), [([0, 1], 1), ([1, 0], 0), (["fake", "real"], 0), (["real", "fake"], 1), ([False, True], 1)]
)
@pytest.mark.parametrize("as_frame", [True, False])
def test_the_column_of_fake_is_found_by_the_classes(classes: list[Any], column: int, as_frame: bool) -> None:
    import pandas as pd

    from ensemble.engine.tasks.base import fake_probability

    values = np.array([[0.9, 0.1], [0.3, 0.7]])

    class Model:
        classes_ = [0, 1] if as_frame else np.array(classes)

        def predict_proba(self, X: Any) -> Any:
            return pd.DataFrame(values, columns=classes) if as_frame else values

    np.testing.assert_array_equal(fake_probability(Model(), [0, 0]), values[:, column])


def test_classes_that_mean_neither_are_refused() -> None:
    from ensemble.engine.tasks.base import fake_probability

    class Model:
        classes_ = np.array(["cat", "dog"])

        def predict_proba(self, X: Any) -> Any:
            return np.full((len(X), 2), 0.5)

    with pytest.raises(ValueError, match=r"classes of predict_proba are cat, dog;"):
        fake_probability(Model(), [0])
