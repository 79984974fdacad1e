from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ensemble.competition.dataset import Competition
from ensemble.competition.rows import SampleTable
from ensemble.competition.submission import submission_text
from ensemble.config.experiment import DataSettings
from ensemble.core.errors import InputProblems, UserError
from tests.competitions import pack, photograph, read_rows, write_competition, write_rows
from tests.ensemble.predict.photographs.hostile import png


@pytest.fixture
def folder(tmp_path: Path, competition_folder: Path) -> Path:
    """A competition that a test may change."""
    return Path(shutil.copytree(competition_folder, tmp_path / "data"))


def problems(folder: Path, settings: DataSettings | None = None) -> dict[str, list[str]]:
    with pytest.raises(InputProblems) as caught:
        Competition.open(folder, settings).decode()
    return caught.value.problems


@pytest.mark.parametrize("suffix", [".tar.gz", ".tgz", ".tar", ".zip"])
@pytest.mark.parametrize("root", ["", "data256faces"])
@pytest.mark.parametrize("tables", [True, False])
def test_every_way_of_handing_out_gives_the_same_competition(
    tmp_path: Path, competition_folder: Path, suffix: str, root: str, tables: bool
) -> None:
    expected = Competition.open(competition_folder)
    archive = pack(competition_folder, tmp_path / f"data256faces{suffix}", root, tables)
    if not tables:
        for name in ("train.csv", "submit.csv"):
            shutil.copy(competition_folder / name, tmp_path / name)
    for path in (archive, tmp_path):
        found = Competition.open(path)
        assert found.sha256 == expected.sha256
        np.testing.assert_array_equal(found.decode(), expected.decode())


def test_folder_one_down(tmp_path: Path, competition_folder: Path) -> None:
    shutil.copytree(competition_folder, tmp_path / "data256faces")
    assert Competition.open(tmp_path).sha256 == Competition.open(competition_folder).sha256


def test_rows_and_pixels_belong_together(competition_folder: Path) -> None:
    competition = Competition.open(competition_folder)
    pixels = competition.decode()
    assert pixels.shape == (52, 32, 32, 3)
    assert pixels.dtype == np.uint8
    assert competition.train.names == sorted(competition.train.names)
    for row in (0, 7, 39):
        np.testing.assert_array_equal(pixels[row], photograph(row, row % 2 == 1))
        assert competition.train.labels[row] == row % 2
    np.testing.assert_array_equal(pixels[45], photograph(10_005, True))
    assert competition.identities[0] == "train/00000.png"
    assert competition.identities[40] == "test/00000.png"


def test_names_without_extension_and_columns_by_content(folder: Path) -> None:
    rows = read_rows(folder / "train.csv")[1:]
    mixed = [[label, name.removesuffix(".png"), 0.5] for name, label in rows]
    write_rows(folder / "train.csv", ["answer", "photo", "noise"], mixed[::-1])
    competition = Competition.open(folder)
    assert competition.train.names[:2] == ["00000", "00001"]
    assert competition.train.labels.tolist() == [0, 1] * 20
    assert competition.train.files[0] == "00000.png"


def test_the_order_of_rows_does_not_matter(folder: Path) -> None:
    before = Competition.open(folder).sha256
    rows = read_rows(folder / "train.csv")
    write_rows(folder / "train.csv", rows[0], rows[:0:-1])
    assert Competition.open(folder).sha256 == before


def test_columns_can_be_named(folder: Path) -> None:
    rows = read_rows(folder / "train.csv")[1:]
    write_rows(folder / "train.csv", ["name", "a", "b"], [[name, label, 1 - int(label)] for name, label in rows])
    with pytest.raises(UserError, match="label_column"):
        Competition.open(folder)
    assert Competition.open(folder, DataSettings(label_column="b")).train.labels.tolist() == [1, 0] * 20
    with pytest.raises(UserError, match="no column 'c'"):
        Competition.open(folder, DataSettings(label_column="c"))


def test_all_problems_in_one_report(folder: Path) -> None:
    rows = read_rows(folder / "train.csv")[1:]
    rows[3][1] = ""
    rows[4][1] = "2"
    rows[5][0] = "lost.png"
    write_rows(folder / "train.csv", ["name", "target"], [*rows, rows[6]])
    (folder / "test" / "00002.png").write_bytes((folder / "test" / "00002.png").read_bytes()[:300])
    (folder / "test" / "00003.png").write_bytes(b"no photograph")
    Image.fromarray(photograph(1, False, 40)).save(folder / "train" / "00008.png")
    Image.new("CMYK", (32, 32)).save(folder / "train" / "00009.tif")
    (folder / "train" / "00009.tif").rename(folder / "train" / "00009.png")
    Image.new("I;16", (32, 32)).save(folder / "train" / "00010.png")
    found = problems(folder)
    assert {kind.split(" than")[0]: len(examples) for kind, examples in found.items()} == {
        "label missing or not 0/1": 2,
        "row without a photograph": 1,
        "duplicate row": 1,
        "unreadable or truncated photograph": 2,
        "another size": 1,
        "CMYK, for printing (set data.convert_cmyk: true to convert such photographs)": 1,
        "not three 8-bit channels (nor grey, nor RGBA)": 1,
    }
    assert "train.csv line 5: 00003.png has ''" in found["label missing or not 0/1"]
    beside = "a photograph without a row: train/00005.png"
    assert found["row without a photograph"] == [f"train.csv line 7: lost.png ({beside})"]


def test_at_most_ten_examples_are_shown(folder: Path) -> None:
    rows = read_rows(folder / "train.csv")[1:]
    write_rows(
        folder / "train.csv", ["name", "target"], [[name if n < 20 else f"x{n}", 1] for n, (name, _) in enumerate(rows)]
    )
    with pytest.raises(InputProblems, match=r"\(\+10 more\)"):
        Competition.open(folder)


def test_only_one_class(folder: Path) -> None:
    rows = read_rows(folder / "train.csv")[1:]
    write_rows(folder / "train.csv", ["name", "target"], [[name, 1] for name, _ in rows])
    assert list(problems(folder)) == ["only one class"]


def test_sixteen_bit_colour_is_no_photograph(folder: Path) -> None:
    (folder / "train" / "00000.png").write_bytes(png(32, 32, 16, 2))
    assert list(problems(folder)) == ["not three 8-bit channels (nor grey, nor RGBA)"]


def test_grey_and_alpha_are_converted(folder: Path) -> None:
    colour = photograph(0, False)
    Image.fromarray(colour[..., 0]).save(folder / "train" / "00000.png")
    alpha = np.concatenate([colour, np.zeros((32, 32, 1), np.uint8)], axis=2)
    Image.fromarray(alpha).save(folder / "train" / "00001.png")
    pixels = Competition.open(folder).decode()
    np.testing.assert_array_equal(pixels[0], np.repeat(colour[..., :1], 3, axis=2))
    np.testing.assert_array_equal(pixels[1], colour)  # what lies under a transparent pixel is kept


def test_crop_on_size_mismatch_keeps_the_grid(folder: Path) -> None:
    large = photograph(3, True, 60)
    Image.fromarray(large).save(folder / "train" / "00000.png")
    pixels = Competition.open(folder, DataSettings(on_size_mismatch="crop")).decode()
    assert pixels.shape[1:3] == (32, 32)
    np.testing.assert_array_equal(pixels[0], large[8:40, 8:40])


def test_missing_parts_are_named(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        Competition.open(tmp_path / "nowhere")
    (folder / "submit.csv").unlink()
    with pytest.raises(UserError, match=r"no submit\.csv"):
        Competition.open(folder)
    with pytest.raises(UserError, match="no folder of training and test photographs"):
        Competition.open(tmp_path / "data" / "train")


def test_other_columns_of_the_sample_are_written_back(folder: Path) -> None:
    rows = [[number, name, "x, y", 0] for number, (name, _) in enumerate(read_rows(folder / "submit.csv")[1:])]
    write_rows(folder / "submit.csv", ["", "name", "note", "pred"], rows)
    sample = Competition.open(folder).sample
    assert sample == SampleTable(**sample.facts())
    lines = submission_text(sample, np.full(12, 0.25)).splitlines()
    assert lines[:2] == [",name,note,pred", '0,00000.png,"x, y",0.250000000000']


@pytest.mark.parametrize(
    ("header", "first"),
    [(["id"], ["id,pred", "00000.png,0.250000000000"]), (None, ["00000.png,0.250000000000"])],
)
def test_samples_without_a_column_of_predictions_or_a_header(
    folder: Path, header: list[str] | None, first: list[str]
) -> None:
    rows = read_rows(folder / "submit.csv")[1:]
    if header:
        write_rows(folder / "submit.csv", header, [[name] for name, _ in rows])
    else:
        write_rows(folder / "submit.csv", rows[0], rows[1:])
    sample = Competition.open(folder).sample
    assert submission_text(sample, np.full(12, 0.25)).splitlines()[: len(first)] == first


def test_the_first_line_says_what_was_read(folder: Path) -> None:
    first, *notes = Competition.open(folder).lines()
    assert first == "train.csv: names in column name, labels in target (1 is fake): 20 fake, 20 real, 12 to predict"
    assert notes == []
    rows = read_rows(folder / "train.csv")[1:]
    write_rows(folder / "train.csv", ["name", "target"], [[f"train/{name}", label] for name, label in rows[:30]])
    first, *notes = Competition.open(folder).lines()
    assert notes[0].startswith("train.csv: names match by the end of their paths, such as train/000")
    assert notes[1].startswith("10 photographs that train.csv does not name ignored: train/00030.png")


SKIP = DataSettings(on_bad_photograph="skip")


def test_bad_photographs_are_skipped_by_request_and_listed(folder: Path) -> None:
    (folder / "train" / "00003.png").write_bytes(b"")
    (folder / "train" / "00005.png").unlink()
    (folder / "test" / "00002.png").write_bytes((folder / "test" / "00002.png").read_bytes()[:300])
    (folder / "test" / "00004.png").unlink()
    with pytest.raises(InputProblems, match=r"data\.on_bad_photograph: skip"):
        Competition.open(folder)
    competition = Competition.open(folder, SKIP)
    assert competition.train_rows == 38
    assert {"00003.png", "00005.png"}.isdisjoint(competition.train.names)
    share = competition.train.labels.mean()
    assert competition.sample.fixed == {"00002.png": share, "00004.png": share}
    pixels = competition.decode()
    assert len(pixels) == len(competition.identities) == 50
    np.testing.assert_array_equal(pixels[4], photograph(6, False))  # 00006.png: rows and pixels still belong together
    np.testing.assert_array_equal(pixels[38 + 3], photograph(10_003, True))
    text = submission_text(competition.sample, np.full(12, 0.25)).splitlines()
    assert text[3] == f"00002.png,{share:.12f}"
    assert text[4] == "00003.png,0.250000000000"
    notes = " ".join(competition.notes)
    for name in ("00003.png", "00005.png", "00002.png", "00004.png"):
        assert name in notes
    assert "18 fake, 20 real" in competition.lines()[0]


def test_converted_photographs_are_named(folder: Path) -> None:
    Image.fromarray(photograph(7, True)).convert("CMYK").save(folder / "train" / "00007.png", "JPEG")
    found = Competition.open(folder, DataSettings(convert_cmyk=True))
    assert found.notes == ["1 CMYK photograph converted: train/00007.png"]
    assert found.decode().shape == (52, 32, 32, 3)


def test_skipping_changes_nothing_where_nothing_is_bad(competition_folder: Path) -> None:
    strict, skipping = Competition.open(competition_folder), Competition.open(competition_folder, SKIP)
    assert skipping.sha256 == strict.sha256
    assert skipping.sample == strict.sample
    np.testing.assert_array_equal(skipping.decode(), strict.decode())


def test_photographs_cannot_be_written_to(competition_folder: Path) -> None:
    pixels = Competition.open(competition_folder).decode()
    pixels[0][:] = 0
    assert pixels[0].any(), "what a member does with its copy"


def test_what_else_lies_in_the_folder_is_not_read(folder: Path) -> None:
    before = Competition.open(folder).sha256
    (folder / "notes.csv").write_text("this,is,no,table\n1\n")
    (folder / "models").mkdir()
    (folder / "models" / "large.bin").write_bytes(b"x" * 1000)
    pack(folder, folder / "original.tar.gz")
    assert Competition.open(folder).sha256 == before


def test_two_photographs_for_one_row(folder: Path) -> None:
    rows = [[name.removesuffix(".png"), label] for name, label in read_rows(folder / "train.csv")[1:]]
    write_rows(folder / "train.csv", ["name", "target"], rows)
    Image.fromarray(photograph(9, False)).save(folder / "train" / "00004.jpg")
    assert "row with several photographs" in problems(folder)


def test_another_label_or_pixel_is_another_competition(tmp_path: Path, folder: Path) -> None:
    hashes = {Competition.open(folder).sha256}
    rows = read_rows(folder / "train.csv")
    rows[1][1] = "1"
    write_rows(folder / "train.csv", rows[0], rows[1:])
    hashes.add(Competition.open(folder).sha256)
    Image.fromarray(photograph(99, False)).save(folder / "test" / "00000.png")
    hashes.add(Competition.open(folder).sha256)
    hashes.add(Competition.open(write_competition(tmp_path / "other", first=500)).sha256)
    assert len(hashes) == 4


def test_skipping_never_skips_a_row_that_could_mean_two_photographs(folder: Path) -> None:
    rows = [[name.removesuffix(".png"), label] for name, label in read_rows(folder / "train.csv")[1:]]
    write_rows(folder / "train.csv", ["name", "target"], rows)
    Image.fromarray(photograph(9, False)).save(folder / "train" / "00004.jpg")
    assert list(problems(folder, SKIP)) == ["row with several photographs"]


def test_the_column_of_names_may_be_named_in_both_tables_or_in_one(folder: Path) -> None:
    names = [name for name, _ in read_rows(folder / "train.csv")[1:]]
    rows = [[name, names[-1 - row], row % 2] for row, name in enumerate(names)]
    write_rows(folder / "train.csv", ["photo", "of", "target"], rows)
    settings = DataSettings(name_column="photo", prediction_column="pred")
    with pytest.raises(UserError, match=r"data\.name_column"):
        Competition.open(folder)
    found = Competition.open(folder, settings)
    assert (found.train.names, found.sample.name_column) == (names, "name")
    asked = names[:12]
    rows = [[name, asked[-1 - row], 0] for row, name in enumerate(asked)]
    write_rows(folder / "submit.csv", ["photo", "of", "pred"], rows)
    found = Competition.open(folder, settings)
    assert (found.sample.name_column, found.sample.files) == ("photo", asked)


@pytest.mark.parametrize("title", ["is_real", "real", "prob_real", "not_fake"])
def test_a_sample_that_asks_for_the_probability_of_real_is_refused(folder: Path, title: str) -> None:
    _, *rows = read_rows(folder / "submit.csv")
    write_rows(folder / "submit.csv", ["name", title], rows)
    with pytest.raises(UserError, match=r"data\.prediction_column"):
        Competition.open(folder)
    assert Competition.open(folder, DataSettings(prediction_column=title)).sample.prediction_column == title


def test_a_column_in_which_0_is_fake_is_not_filled_with_the_probability_of_fake(folder: Path) -> None:
    _, *rows = read_rows(folder / "train.csv")
    write_rows(folder / "train.csv", ["name", "target"], rows)
    _, *asked = read_rows(folder / "submit.csv")
    write_rows(folder / "submit.csv", ["name", "target"], asked)
    assert Competition.open(folder).sample.prediction_column == "target", "1 is fake"
    with pytest.raises(UserError, match="in which 0 is fake"):
        Competition.open(folder, DataSettings(fake_label=0))
