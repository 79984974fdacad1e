from __future__ import annotations

from pathlib import Path

import pytest

from ensemble.config.reading import load_experiment
from ensemble.core.errors import UserError
from ensemble.engine.recipes.build import build_model
from ensemble.engine.recipes.code import recipe_code
from ensemble.training.checks import check_members
from tests.competitions import BOOSTED, LINEAR, write_config

CONFIGS = sorted(Path("configs").glob("*.yaml"))


def faulty(tmp_path: Path, text: str) -> str:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        check_members(load_experiment(path).members)
    assert "\n" not in str(caught.value)
    return str(caught.value)


MODEL = "model: {use: lightgbm.LGBMClassifier}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: x\nmembers: {}", "members"),
        ("name: [", "not valid YAML"),
        (
            f"name: x\nfold: {{}}\nmembers: [{{name: a, {MODEL}}}]",
            "fold: there is no such setting; did you mean folds?",
        ),
        (
            f"name: x\nmembers: [{{name: a, {MODEL}, resorces: {{}}}}]",
            "members.0.resorces: there is no such setting; did you mean resources?",
        ),
        (
            f"name: x\ndata: {{folds: {{}}}}\nmembers: [{{name: a, {MODEL}}}]",
            "data.folds: there is no such setting; check",
        ),
        (f"name: x\nmembers: [{{name: a, {MODEL}, resources: {{num_cpu: 1}}}}]", "did you mean num_cpus?"),
        ("name: x\nmembers: [{name: a, model: {use: lightgbm.lgbmclassifier}}]", "did you mean LGBMClassifier?"),
        ("name: x\nmembers: [{name: a, model: {use: tests.old_alias.Model}}]", "np has no bool8"),
        (f"name: x\nmembers: [{{name: a/b, {MODEL}}}]", "members.0.name"),
        (f"name: x\nmembers: [{{name: a, {MODEL}}}, {{name: A, {MODEL}}}]", "two members are called a"),
        (f"name: x\nmembers: [{{name: Blend, {MODEL}}}]", "no member may be called blend"),
        (f"name: x\nmembers: [{{name: label, {MODEL}}}]", "no member may be called label"),
        (f"name: x\nmembers: [{{name: a, {MODEL}, resources: {{num_cpus: 0}}}}]", "num_cpus"),
        (f"name: x\nmembers: [{{name: a, {MODEL}, resources: {{num_gpus: 1.5}}}}]", "whole number"),
        (f"name: x\nfolds: {{n_folds: 1}}\nmembers: [{{name: a, {MODEL}}}]", "folds.n_folds"),
        (f"name: x\nblend: {{methods: []}}\nmembers: [{{name: a, {MODEL}}}]", "blend.methods"),
        (
            "name: x\nmembers: [{name: a, model: {use: lightgbm.LGBMClassifier, num_leafs: 4}}]",
            "no parameter num_leafs",
        ),
        (
            "name: x\nmembers: [{name: a, model: {use: sklearn.pipeline.Pipeline, steps: "
            "[[logistic, {use: sklearn.linear_model.LogisticRegression, C: -1}]]}}]",
            "'C' parameter",
        ),
        ("name: x\nmembers: [{name: a, model: {use: nowhere.Model}}]", "no module 'nowhere'"),
        ("name: x\nmembers: [{name: a, model: {use: lightgbm.Nothing}}]", "lightgbm has no Nothing"),
        ("name: x\nmembers: [{name: a, model: {use: Model}}]", "is not an import path"),
        ("name: x\nmembers: [{name: a, model: {use: members.cnn.ImageClassifier, epoch: 3}}]", "epoch"),
        ("name: x\nmembers: [{name: a, model: {use: sklearn.preprocessing.StandardScaler}}]", "gives no probabilities"),
        (
            f"name: x\nmembers: [{{name: a, {MODEL}, features: {{use: members.forensics.ForensicFeatures,"
            " families: [spectre]}}]",
            "spectre",
        ),
    ],
)
def test_a_fault_is_one_sentence_that_names_its_place(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in faulty(tmp_path, text)


def test_missing_config_names_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"nowhere\.yaml: .*; configs that are known: baseline, cpu, "):
        load_experiment(Path("configs/nowhere.yaml"))


def test_a_folder_is_no_config(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is a folder; give a YAML file, such as .*experiment\.yaml of a store"):
        load_experiment(tmp_path)


@pytest.mark.training
def test_our_configs_are_valid() -> None:
    experiments = [load_experiment(path) for path in CONFIGS]
    assert [experiment.name for experiment in experiments] == [path.stem for path in CONFIGS]
    members = {repr(member.recipe): member for experiment in experiments for member in experiment.members}
    check_members(members.values())  # a member of several configs is built once


def test_the_four_configs_are_there() -> None:
    assert {path.stem for path in CONFIGS} >= {"demo", "baseline", "cpu", "gpu"}


def test_written_out_and_read_again(tmp_path: Path) -> None:
    experiment = load_experiment(write_config(tmp_path / "a.yaml", LINEAR, BOOSTED))
    (tmp_path / "b.yaml").write_text(experiment.to_yaml())
    assert load_experiment(tmp_path / "b.yaml") == experiment


def test_seeds_and_threads_reach_the_model(tmp_path: Path) -> None:
    text = BOOSTED.replace("verbose: -1,", "verbose: -1, n_jobs: 7,") + "    seed: 10\n    resources: {num_cpus: 2}\n"
    member = load_experiment(write_config(tmp_path / "a.yaml", text)).members[0]
    model = build_model(member, fold=3)
    assert (model.random_state, model.n_jobs) == (13, 2)


def test_resources_do_not_change_what_a_member_is(tmp_path: Path) -> None:
    recipes = [
        load_experiment(write_config(tmp_path / "a.yaml", BOOSTED + extra)).members[0].recipe
        for extra in ("", "    resources: {num_cpus: 2}\n", "    seed: 1\n")
    ]
    assert recipes[0] == recipes[1] != recipes[2]


def test_a_weights_file_counts_by_its_content(tmp_path: Path) -> None:
    weights = tmp_path / "w.safetensors"
    text = f"\n  - name: a\n    model: {{use: members.cnn.ImageClassifier, weights: {weights}}}\n"
    member = load_experiment(write_config(tmp_path / "a.yaml", text)).members[0]
    codes = []
    for content in (b"one", b"one", b"two"):
        weights.write_bytes(content)
        codes.append(recipe_code(member.recipe))
    assert codes[0] == codes[1] != codes[2]
