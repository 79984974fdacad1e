"""The synthetic competition: right in form, silent in its content, telling in its spectrum, safe with real data."""

from __future__ import annotations

import csv
import io
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from ensemble.competition.demo.plan import plan
from ensemble.competition.demo.write import render, write_demo
from ensemble.core.errors import UserError
from tests.commands import run_here, run_process

FILES = ("SYNTHETIC.txt", "data256faces.tar.gz", "submit.csv", "train.csv")
FOLDS = StratifiedKFold(5, shuffle=True, random_state=0)
SMALL = {"train": 21, "test": 3}


@dataclass
class Demo:
    folder: Path
    members: dict[str, bytes]  # what the archive holds

    def photos(self, split: str) -> list[bytes]:
        return [self.members[path] for path in sorted(self.members) if f"/{split}/" in path]

    @property
    def labels(self) -> NDArray[np.int64]:
        return np.array([int(row["target"]) for row in rows(self.folder / "train.csv")])

    @property
    def pixels(self) -> NDArray[np.uint8]:
        return np.stack([np.asarray(Image.open(io.BytesIO(photo))) for photo in self.photos("train")])


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    folder = tmp_path_factory.mktemp("data") / "demo"
    write_demo(folder)
    return Demo(folder, unpack(folder))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    write_demo(folder, **SMALL)
    return folder


def unpack(folder: Path) -> dict[str, bytes]:
    with tarfile.open(folder / "data256faces.tar.gz") as archive:
        return {entry.name: archive.extractfile(entry).read() for entry in archive}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def spectra(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Azimuthal mean of the windowed log power of luma, level with its low frequencies: `(n, radii)`."""
    size = pixels.shape[1]
    y, x = np.indices((size, size)) - size // 2
    radius = np.hypot(x, y).round().astype(int).ravel()
    window = np.outer(np.hanning(size), np.hanning(size))
    luma = pixels @ np.array([0.299, 0.587, 0.114])
    found = []
    for image in luma:
        power = np.abs(np.fft.fftshift(np.fft.fft2((image - image.mean()) * window))) ** 2
        rings = np.bincount(radius, np.log10(power + 1e-8).ravel()) / np.bincount(radius)
        found.append(rings[4:] - rings[4:9].mean())
    return np.array(found)


def true_test_labels(test: int = 120) -> NDArray[np.int64]:
    """The hidden answers, in the order of the photographs' names; 1 is fake. They are in no file."""
    return np.array([photo.fake for photo in plan("test", test, 0)])


class TestFormat:
    def test_files(self, demo: Demo) -> None:
        assert sorted(contents(demo.folder)) == sorted(FILES)

    def test_archive_holds_the_two_splits_and_the_marker(self, demo: Demo) -> None:
        train = [f"data256faces/train/{row['name']}" for row in rows(demo.folder / "train.csv")]
        test = [f"data256faces/test/{row['name']}" for row in rows(demo.folder / "submit.csv")]
        assert sorted(demo.members) == sorted([*train, *test, "data256faces/SYNTHETIC.txt"])
        assert (len(train), len(test)) == (240, 120)

    @pytest.mark.training
    @pytest.mark.parametrize(("name", "columns"), [("train.csv", ["name", "target"]), ("submit.csv", ["name", "pred"])])
    def test_tables_are_sorted_by_name(self, demo: Demo, name: str, columns: list[str]) -> None:
        table = rows(demo.folder / name)
        names = [row["name"] for row in table]
        assert list(table[0]) == columns
        assert names == sorted(set(names))

    def test_half_are_fake_and_the_sample_is_empty(self, demo: Demo) -> None:
        assert demo.labels.sum() == 120
        assert true_test_labels().sum() == 60
        assert {row["pred"] for row in rows(demo.folder / "submit.csv")} == {"0"}

    def test_names_say_nothing_of_the_class(self, demo: Demo) -> None:
        auc = roc_auc_score(demo.labels, np.arange(len(demo.labels)))
        assert 0.4 < auc < 0.6

    @pytest.mark.training
    def test_photographs_are_rgb_jpegs_with_equal_tables(self, demo: Demo) -> None:
        photos = [Image.open(io.BytesIO(photo)) for photo in demo.photos("train") + demo.photos("test")]
        assert {(photo.format, photo.size, photo.mode) for photo in photos} == {("JPEG", (256, 256), "RGB")}
        assert len({str(photo.quantization) + str(photo.layer) for photo in photos}) == 1

    def test_marker_says_synthetic(self, demo: Demo) -> None:
        for text in (
            demo.members["data256faces/SYNTHETIC.txt"].decode(),
            (demo.folder / "SYNTHETIC.txt").read_text(),
        ):
            assert "synthetic" in text
            assert "nothing about real photographs" in text

    @pytest.mark.training
    def test_odd_sizes(self, small: Path) -> None:
        assert sorted(row["target"] for row in rows(small / "train.csv")) == ["0"] * 11 + ["1"] * 10
        assert true_test_labels(3).tolist().count(1) == 1


class TestReproducibility:
    @pytest.mark.training
    def test_same_seed_same_bytes(self, small: Path, tmp_path: Path) -> None:
        write_demo(tmp_path / "again", **SMALL)
        assert contents(tmp_path / "again") == contents(small)

    @pytest.mark.training
    def test_other_seed_other_photographs(self, small: Path, tmp_path: Path) -> None:
        write_demo(tmp_path, **SMALL, seed=1)
        before, after = unpack(small), unpack(tmp_path)
        assert not set(before.values()) & set(after.values())

    def test_a_photograph_does_not_depend_on_how_many_there_are(self, small: Path, demo: Demo) -> None:
        fake = {row["name"]: row["target"] for row in rows(demo.folder / "train.csv")}
        same = [row["name"] for row in rows(small / "train.csv") if fake[row["name"]] == row["target"]]
        path = f"data256faces/train/{same[0]}"
        assert unpack(small)[path] == demo.members[path]

    def test_archive_has_no_times_and_no_owner(self, small: Path) -> None:
        with tarfile.open(small / "data256faces.tar.gz") as archive:
            assert {(entry.mtime, entry.uid, entry.gid, entry.uname) for entry in archive} == {(0, 0, 0, "")}
        assert (small / "data256faces.tar.gz").read_bytes()[3:8] == bytes(5)  # no flags, no time


class TestDifficulty:
    @pytest.mark.training
    def test_thumbnails_do_not_give_the_class_away(self, demo: Demo) -> None:
        thumbnails = demo.pixels.reshape(-1, 16, 16, 16, 16, 3).mean(axis=(2, 4)).reshape(240, -1)
        for strength in (0.001, 0.1, 1.0):
            model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000))
            with threadpool_limits(1):  # matrices this small only wait for each other's threads
                assert cross_val_score(model, thumbnails, demo.labels, cv=FOLDS).mean() < 0.60

    @pytest.mark.training
    def test_the_spectrum_does_but_not_always(self, demo: Demo) -> None:
        booster = LGBMClassifier(n_estimators=150, num_leaves=7, min_child_samples=10, n_jobs=1, verbose=-1)
        found = cross_val_predict(booster, spectra(demo.pixels), demo.labels, cv=FOLDS)
        accuracy = np.mean(found == demo.labels)
        assert 0.85 < accuracy < 0.995

    def test_file_sizes_say_little(self, demo: Demo) -> None:
        sizes = [len(photo) for photo in demo.photos("train")]
        assert 0.35 < roc_auc_score(demo.labels, sizes) < 0.65

    @pytest.mark.training
    def test_test_photographs_follow_the_hidden_answers(self, demo: Demo) -> None:
        booster = LGBMClassifier(n_estimators=150, num_leaves=7, min_child_samples=10, n_jobs=1, verbose=-1)
        booster.fit(spectra(demo.pixels), demo.labels)
        test = np.stack([np.asarray(Image.open(io.BytesIO(photo))) for photo in demo.photos("test")])
        assert np.mean(booster.predict(spectra(test)) == true_test_labels()) > 0.8

    @pytest.mark.training
    def test_it_is_quick(self) -> None:
        """In this process: those that `write_demo` starts have clocks of their own."""
        started = time.process_time()
        for photo in plan("train", 20, 0):
            render(photo)
        assert time.process_time() - started < 10  # of all threads, so that other work on the machine counts little


class TestSafety:
    @pytest.mark.training
    def test_writes_over_a_demo(self, tmp_path: Path) -> None:
        write_demo(tmp_path, 20, 2)
        before = contents(tmp_path)
        write_demo(tmp_path, 20, 2)
        assert contents(tmp_path) == before

    @pytest.mark.parametrize("name", ["train.csv", "submit.csv", "data256faces.tar.gz"])
    def test_leaves_a_real_competition_alone(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_text("name,target\n1.jpg,1\n")
        with pytest.raises(UserError, match=f"{name} is not from a demo"):
            write_demo(tmp_path, 20, 2)
        assert contents(tmp_path) == {name: b"name,target\n1.jpg,1\n"}

    @pytest.mark.training
    def test_leaves_a_real_competition_alone_that_was_copied_over_a_demo(self, tmp_path: Path) -> None:
        write_demo(tmp_path, 20, 2)
        (tmp_path / "train.csv").write_text("name,target\n1.jpg,1\n")
        with pytest.raises(UserError, match=r"train\.csv is not from a demo"):
            write_demo(tmp_path, 20, 2)

    def test_refuses_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(UserError, match="is a file"):
            write_demo(tmp_path / "file", 20, 2)
        with pytest.raises(UserError, match="cannot be written"):
            write_demo(tmp_path / "file" / "below", 20, 2)

    @pytest.mark.parametrize(("train", "test", "seed"), [(19, 2, 0), (20, 1, 0), (20, 2, -1)])
    def test_refuses_sizes_that_make_no_competition(self, tmp_path: Path, train: int, test: int, seed: int) -> None:
        with pytest.raises(UserError):
            write_demo(tmp_path / "none", train, test, seed)
        assert not (tmp_path / "none").exists()

    def test_leaves_nothing_half_done(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("ensemble.competition.demo.write._write_archive", full)
        with pytest.raises(UserError, match="No space left on device"):
            write_demo(tmp_path, 20, 2)
        assert contents(tmp_path) == {}


class TestCommand:
    @pytest.mark.process
    def test_tells_what_it_wrote(self, tmp_path: Path) -> None:
        done = run_process("demo", tmp_path, "--train", "20", "--test", "2", cwd=tmp_path)
        assert done.returncode == 0
        assert "20 training and 2 test photographs" in done.stdout
        assert "mean nothing" in done.stdout or "means nothing for photographs" in done.stdout

    def test_mistakes_end_with_code_2_and_one_sentence(self, tmp_path: Path) -> None:
        (tmp_path / "train.csv").touch()
        done = run_here("demo", tmp_path, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert len(done.stderr.splitlines()) == 1
