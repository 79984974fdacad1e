"""Where the files of a competition may lie, and what is ignored."""

from __future__ import annotations

import gzip
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ensemble.competition.dataset import Competition
from ensemble.config.experiment import DataSettings
from ensemble.core.errors import UserError
from tests.competitions import pack, read_rows, write_rows


def zipped(folder: Path, what: str, inner: str = "", into: str | None = None) -> None:
    """Replace a file or folder by a zip of it."""
    source = folder / what
    with zipfile.ZipFile(folder / (into or f"{what}.zip"), "w") as archive:
        for file in [source] if source.is_file() else sorted(source.iterdir()):
            archive.write(file, f"{inner}{file.name}")
    source.unlink() if source.is_file() else shutil.rmtree(source)


def two_zips(folder: Path) -> None:
    zipped(folder, "train")
    zipped(folder, "test", "test/")


def zip_of_zips(folder: Path) -> None:
    two_zips(folder)
    with zipfile.ZipFile(folder / "competition.zip", "w") as archive:
        for file in sorted(folder.iterdir()):
            if file.name != "competition.zip":
                archive.write(file, file.name)
                file.unlink()


def zipped_tables(folder: Path) -> None:
    zipped(folder, "train.csv")
    (folder / "submit.csv.gz").write_bytes(gzip.compress((folder / "submit.csv").read_bytes()))
    (folder / "submit.csv").unlink()


def linked_below(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    shutil.move(folder / "train", folder / "elsewhere" / "photos")
    (folder / "train").mkdir()
    (folder / "train" / "a").symlink_to(folder / "elsewhere" / "photos")
    (folder / "elsewhere" / "back").symlink_to(folder)


def junk(folder: Path) -> None:
    for place in ("__MACOSX", ".ipynb_checkpoints", "$RECYCLE.BIN"):
        shutil.copytree(folder / "train", folder / place / "train")
        shutil.copytree(folder / "test", folder / place / "test")
    for split in ("train", "test"):
        (folder / split / "@eaDir" / "00001.png").mkdir(parents=True)
        (folder / split / "@eaDir" / "00001.png" / "THUMB_M.png").write_bytes(b"x")
        for name in ("._00001.png", "Thumbs.db", "desktop.ini", ".DS_Store"):
            (folder / split / name).write_bytes(b"x")


def class_folders(folder: Path) -> None:
    for name, label in read_rows(folder / "train.csv")[1:]:
        target = folder / "train" / ("real", "fake")[int(label)]
        target.mkdir(exist_ok=True)
        shutil.move(folder / "train" / name, target / name)


def archive_beside(folder: Path) -> None:
    pack(folder, folder / "original.tar.gz")


def moved(names: dict[str, str]) -> Callable[[Path], None]:
    """Return a function that renames files and folders, by way of another place."""

    def rename(folder: Path) -> None:
        aside = folder.with_name("aside")
        aside.mkdir()
        for old in names:
            (folder / old).rename(aside / old)
        for old, new in names.items():
            (folder / new).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(aside / old, folder / new)

    return rename


LAYOUTS: dict[str, Callable[[Path], None]] = {
    "two zips": two_zips,
    "a zip of zips": zip_of_zips,
    "zipped tables": zipped_tables,
    "an archive beside what was unpacked": archive_beside,
    "linked folders": linked_below,
    "junk": junk,
    "class folders": class_folders,
    "two folders too many": moved({"train": "faces/faces/train", "test": "faces/faces/test"}),
    "a folder called train around both": moved({"train": "train/train", "test": "train/test"}),
    "upper case": moved({"test": "Test", "train.csv": "Train.csv"}),
    "images below": moved({"train": "train/images", "test": "test/images"}),
    "train_data, test_images": moved({"train": "train_data", "test": "test_images"}),
    "faces-train, faces-test": moved({"train": "faces-train", "test": "faces-test"}),
    "tables inside": moved({"train.csv": "train/train.csv", "submit.csv": "test/submit.csv"}),
    "usual other names": moved({"train.csv": "train_labels.csv", "submit.csv": "sampleSubmission.csv"}),
    "any names": moved({"train.csv": "answers.csv", "submit.csv": "form.csv"}),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_found_wherever_it_lies_in_a_folder(tmp_path: Path, competition_folder: Path, layout: str) -> None:
    expected = Competition.open(competition_folder)
    folder = Path(shutil.copytree(competition_folder, tmp_path / "data"))
    LAYOUTS[layout](folder)
    found = Competition.open(folder)
    assert found.sha256 == expected.sha256
    assert found.sample.names == expected.sample.names


@pytest.mark.parametrize(
    "layout", ["junk", "class folders", "two folders too many", "train_data, test_images", "any names"]
)
@pytest.mark.parametrize("suffix", [".tar.bz2", ".zip"])
def test_an_archive_is_read_like_a_folder(tmp_path: Path, competition_folder: Path, layout: str, suffix: str) -> None:
    expected = Competition.open(competition_folder)
    folder = Path(shutil.copytree(competition_folder, tmp_path / "data"))
    LAYOUTS[layout](folder)
    kind = {".tar.bz2": "bztar", ".zip": "zip"}[suffix]
    archive = Path(shutil.make_archive(str(tmp_path / "out" / "data256faces"), kind, folder))
    for path in (archive, archive.parent):
        assert Competition.open(path).sha256 == expected.sha256


@pytest.fixture
def folder(tmp_path: Path, competition_folder: Path) -> Path:
    return Path(shutil.copytree(competition_folder, tmp_path / "data"))


def refusal(folder: Path, settings: DataSettings | None = None) -> str:
    with pytest.raises(UserError) as caught:
        Competition.open(folder, settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_two_candidates_are_refused_and_a_setting_decides(folder: Path) -> None:
    expected = Competition.open(folder).sha256
    shutil.copytree(folder / "train", folder / "old" / "train")
    shutil.copytree(folder / "test", folder / "old" / "test")
    message = refusal(folder)
    assert "2 pairs of folders" in message
    assert "old/train and old/test" in message
    assert "data.train_folder" in message
    settings = DataSettings(train_folder="old/train", test_folder="old/test")
    assert Competition.open(folder, settings).sha256 == expected
    assert "no such folder" in refusal(folder, DataSettings(train_folder="new/train"))


def test_what_is_missing_is_said_with_what_is_there(folder: Path) -> None:
    (folder / "test").rename(folder / "holdout")
    message = refusal(folder)
    assert "no folder of test photographs" in message
    assert "holdout/ (12 photographs)" in message
    assert "data.test_folder" in message
    assert len(Competition.open(folder, DataSettings(test_folder="holdout")).sample.names) == 12


def test_missing_tables_are_said_with_those_that_are_there(folder: Path) -> None:
    (folder / "train.csv").unlink()
    (folder / "other.csv").write_text("a,b\n1,2\n")
    message = refusal(folder)
    assert "there is no train.csv" in message
    assert "other.csv" in message
    assert "data.train_table" in message
    assert "submit.csv" in message


def test_two_tables_that_can_be_meant(folder: Path) -> None:
    expected = Competition.open(folder).sha256
    (folder / "train.csv").rename(folder / "train_labels.csv")
    rows = read_rows(folder / "train_labels.csv")
    write_rows(folder / "train_v2.csv", rows[0], [*rows[1:-1], [rows[-1][0], "0"]])
    message = refusal(folder)
    assert "train_labels.csv, train_v2.csv" in message
    assert "data.train_table" in message
    assert Competition.open(folder, DataSettings(train_table="train_labels.csv")).sha256 == expected
    shutil.copy(folder / "train_labels.csv", folder / "train_v2.csv")  # the same table twice is no question
    assert Competition.open(folder).sha256 == expected


def test_files_that_no_row_names_and_no_decoder_knows_are_counted_in_one_line(folder: Path) -> None:
    expected = Competition.open(folder).sha256
    for name in ("notes.xml", "LICENSE", "features.npy", "index.html", "00001.json"):
        (folder / "train" / name).write_bytes(b"<html>no photograph</html>")
    found = Competition.open(folder)
    assert found.sha256 == expected
    assert [note for note in found.notes if note.startswith("5 files in an unknown format ignored")]


@pytest.mark.parametrize("suffix", ["", ".dat"])
def test_photographs_without_a_usual_suffix(folder: Path, suffix: str) -> None:
    for split in ("train", "test"):
        for file in (folder / split).iterdir():
            file.rename(file.with_suffix(suffix))
    for table in ("train.csv", "submit.csv"):
        (folder / table).write_text((folder / table).read_text().replace(".png", suffix))
    assert len(Competition.open(folder).encoded) == 52


def test_a_file_that_is_no_archive(folder: Path) -> None:
    assert "no archive" in refusal(folder / "train.csv")
    (folder / "page.tar.gz").write_bytes(b"<!DOCTYPE html>")
    assert "HTML page" in refusal(folder / "page.tar.gz")
    assert "does not exist" in refusal(folder / "nowhere")


def test_the_usual_table_beside_the_photographs_is_the_one(folder: Path) -> None:
    expected = Competition.open(folder).sha256
    title, *rows = read_rows(folder / "train.csv")
    opposite = [[name, 1 - int(label)] for name, label in rows]
    (folder / "old").mkdir()
    write_rows(folder / "old" / "train.csv", title, opposite)
    assert Competition.open(folder).sha256 == expected, "not a table elsewhere"
    write_rows(folder / "labels.csv", title, opposite)
    assert Competition.open(folder).sha256 == expected, "nor one of a less usual name"


@pytest.mark.parametrize(("where", "synthetic"), [("", True), ("train", True), ("models", False)])
def test_the_mark_of_the_demo_counts_beside_its_photographs(folder: Path, where: str, synthetic: bool) -> None:
    assert not Competition.open(folder).synthetic
    (folder / where).mkdir(exist_ok=True)
    (folder / where / "SYNTHETIC.txt").write_text("synthetic")
    assert Competition.open(folder).synthetic == synthetic
