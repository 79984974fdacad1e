"""Members are looked at before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ensemble.config.members import MemberSettings
from ensemble.core.errors import UserError
from ensemble.training.checks import check_members


def test_a_fold_is_no_beginning_for_others(tmp_path: Path) -> None:
    """Its model has learned rows that other folds are scored on; features are shared by all of them."""
    folder = tmp_path / "oof" / "first" / "members" / "cnn" / "fold-0"
    (folder / "model").mkdir(parents=True)
    weights = folder / "model" / "model.safetensors"
    weights.touch()
    recipe = {"use": "members.embedding.FrozenEmbedding", "backbone": "test_efficientnet", "weights": str(weights)}
    settings = {"name": "frozen", "features": recipe, "model": {"use": "sklearn.linear_model.LogisticRegression"}}
    member = MemberSettings.model_validate(settings)
    (folder / "fold.json").touch()
    with pytest.raises(UserError, match=r"member frozen: .*model\.safetensors is the model of a fold"):
        check_members([member])
    (folder / "fold.json").unlink()
    with pytest.raises(UserError, match="cannot be read as a plain state dict"):
        check_members([member])


def test_a_link_to_a_fold_is_a_fold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "oof" / "first" / "members" / "cnn" / "fold-0" / "model"
    folder.mkdir(parents=True)
    (folder.parent / "fold.json").touch()
    (folder / "model.safetensors").touch()
    (tmp_path / "linked.safetensors").symlink_to(folder / "model.safetensors")
    monkeypatch.chdir(folder)
    for weights in ("model.safetensors", str(tmp_path / "linked.safetensors")):
        with pytest.raises(UserError, match="is the model of a fold"):
            check_members([image_classifier(weights=weights)])


def image_classifier(**parameters: object) -> MemberSettings:
    recipe = {"use": "members.cnn.ImageClassifier", "backbone": "test_efficientnet", "weights": "none", **parameters}
    return MemberSettings.model_validate({"name": "cnn", "model": recipe})


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"backbone": "test_efficientnit"}, "did you mean test_efficientnet"),
        ({"weights": "/no/such.safetensors"}, "nor a file that exists"),
        ({"weights": "packaged"}, "no package holds weights for test_efficientnet"),
        ({"crop": 100}, "crop=100 is no multiple of 8"),
        ({"average_last": 9, "epochs": 2}, "more than the 2 epochs"),
        ({"backbone": "test_vit", "stem_stride": 1}, "stem"),
        ({"frozen_layers": 40}, "freeze fewer"),
    ],
    ids=str,
)
def test_a_network_that_cannot_be_is_found_before_anything_runs(parameters: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=f"member cnn: .*{words}"):
        check_members([image_classifier(**parameters)])
    average = {"use": "members.seeds.SeedAverage", "estimator": image_classifier(**parameters).model.model_dump()}
    with pytest.raises(UserError, match=words):
        check_members([MemberSettings.model_validate({"name": "seeds", "model": average})])


def test_networks_that_can_be_pass() -> None:
    check_members([image_classifier(stem_stride=1, frozen_layers=2, crop=96, moving_average=0.9, weights="hub")])


def test_code_that_was_edited_after_its_import_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a notebook: this process would run the old code, and the store would say that it was the new."""
    code = "from sklearn.linear_model import LogisticRegression\nclass Mine(LogisticRegression): pass\n"
    (tmp_path / "edited_here.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    member = MemberSettings.model_validate({"name": "mine", "model": {"use": "edited_here.Mine"}})
    check_members([member])
    check_members([member])
    (tmp_path / "edited_here.py").write_text(code + "# another line\n")
    with pytest.raises(UserError, match=r"member mine: edited_here\.Mine was edited after .* restart Python"):
        check_members([member])


def sklearn_member(model: dict[str, object], features: bool = True) -> MemberSettings:
    recipe = {"use": "members.forensics.LogDCT"} if features else None
    return MemberSettings.model_validate({"name": "m", "features": recipe, "model": model})


PARTS: list[object] = [
    ["a", {"use": "sklearn.linear_model.LogisticRegression"}],
    ["b", {"use": "sklearn.naive_bayes.GaussianNB"}],
]


def test_what_has_probabilities_once_it_is_fitted_is_a_classifier() -> None:
    check_members([sklearn_member({"use": "sklearn.ensemble.StackingClassifier", "estimators": PARTS})])


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ({"use": "sklearn.ensemble.VotingClassifier", "estimators": PARTS}, "voting='hard'"),
        ({"use": "sklearn.linear_model.SGDClassifier"}, "loss='hinge'"),
        (
            {"use": "sklearn.pipeline.Pipeline", "steps": [["m", {"use": "sklearn.svm.LinearSVC"}]]},
            "'LinearSVC' object",
        ),
        ({"use": "sklearn.preprocessing.StandardScaler"}, "'StandardScaler' object"),
    ],
)
def test_who_gives_no_probabilities_says_why_in_its_own_words(model: dict[str, object], reason: str) -> None:
    with pytest.raises(UserError, match="gives no probabilities") as caught:
        check_members([sklearn_member(model)])
    assert reason in str(caught.value)
    assert "CalibratedClassifierCV" in str(caught.value)


@pytest.mark.parametrize(
    "model",
    [
        {"use": "sklearn.linear_model.LogisticRegression"},
        {
            "use": "sklearn.pipeline.Pipeline",
            "steps": [["s", {"use": "sklearn.preprocessing.StandardScaler"}], PARTS[0]],
        },
        {"use": "sklearn.calibration.CalibratedClassifierCV", "estimator": {"use": "sklearn.svm.LinearSVC"}},
    ],
)
def test_a_model_of_tables_needs_features(model: dict[str, object]) -> None:
    with pytest.raises(UserError, match="reads tables, not photographs; this model needs a features: entry"):
        check_members([sklearn_member(model, features=False)])
    check_members([sklearn_member(model)])


def test_features_need_no_names_of_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nameless.py").write_text(
        "from sklearn.base import BaseEstimator, TransformerMixin\n"
        "class Small(TransformerMixin, BaseEstimator):\n"
        "    def fit(self, X, y=None): return self\n"
        "    def transform(self, X): return X.std((1, 2))\n"
        "    def get_feature_names_out(self, names=None): raise ValueError('no names')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    small = {"use": "nameless.Small"}
    union = {"use": "sklearn.pipeline.FeatureUnion", "transformer_list": [["a", small]]}
    for features in (small, union):
        model = {"use": "sklearn.naive_bayes.GaussianNB"}
        check_members([MemberSettings.model_validate({"name": "m", "features": features, "model": model})])
