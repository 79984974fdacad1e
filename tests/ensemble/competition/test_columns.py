from __future__ import annotations

import pytest

from ensemble.competition.columns import Split, find_labels, find_names, find_prediction
from ensemble.competition.rows import read_train
from ensemble.competition.tables import Table, read_table
from ensemble.config.experiment import DataSettings
from ensemble.core.errors import UserError

NAMES = [f"{number}.jpg" for number in (3, 1, 0, 2, 4, 5)]
LABELS = [1, 0, 0, 1, 1, 0]
SPLIT = Split(sorted(NAMES))


def table_of(**columns: list[object]) -> Table:
    titles = list(columns)
    rows = zip(*columns.values(), strict=True)
    text = "\n".join(",".join(map(str, row)) for row in [[t.removeprefix("untitled") for t in titles], *rows])
    return read_table(text.encode(), "train.csv", SPLIT.names)


def name_column(table: Table) -> str:
    return find_names(table, SPLIT, None)[0]


def labels_in(table: Table, setting: str | None = None, fake: str | None = None) -> tuple[str, list[int]]:
    title, matching = find_names(table, SPLIT, None)
    return find_labels(table, title, matching.found, setting, fake, None)


BARE = [name.removesuffix(".jpg") for name in NAMES]


@pytest.mark.parametrize("index", ["untitled", "index", "id", "photographer"])
def test_whole_file_names_beat_numbers(index: str) -> None:
    assert name_column(table_of(**{index: list(range(6)), "file": NAMES, "target": LABELS})) == "file"


def test_an_untitled_index_is_never_the_names() -> None:
    assert name_column(table_of(untitled=list(range(6)), key=BARE, target=LABELS)) == "key"
    with pytest.raises(UserError, match=r"no column names photographs.*data\.name_column"):
        name_column(table_of(untitled=list(range(6)), target=LABELS))


def test_two_columns_of_different_photographs_are_refused_by_name() -> None:
    with pytest.raises(UserError, match=r"columns idx and orig_idx name different photographs.*data\.name_column"):
        name_column(table_of(idx=list(range(6)), orig_idx=BARE, target=LABELS))


def test_two_columns_of_the_same_photographs_are_no_question() -> None:
    paths = [f"data/train/{name}" for name in NAMES]
    assert name_column(table_of(path=paths, file=NAMES, target=LABELS)) == "file"


def test_no_name_shows_a_row_beside_a_file() -> None:
    with pytest.raises(UserError, match=r"'x0' in name.* a photograph is train/0\.jpg"):
        name_column(table_of(name=[f"x{i}" for i in range(6)], target=LABELS))


@pytest.mark.parametrize(
    "values",
    [
        LABELS,
        [f"{label}.00" for label in LABELS],
        [f"{label:.18e}" for label in LABELS],
        [bool(label) for label in LABELS],
        [str(bool(label)).upper() for label in LABELS],
        [("real", "fake")[label] for label in LABELS],
        [("Photo", "Generated")[label] for label in LABELS],
        [("original", "ai-generated")[label] for label in LABELS],
    ],
)
def test_labels_in_every_usual_form(values: list[object]) -> None:
    assert labels_in(table_of(name=NAMES, answer=values)) == ("answer", LABELS)


@pytest.mark.parametrize(
    ("title", "values"),
    [
        ("male", [0, 1, 0, 1, 0, 0]),
        ("fold", [0, 1, 0, 1, 0, 1]),
    ],
)
@pytest.mark.parametrize("words", [("real", "fake"), ("False", "True"), (0, 1)])
def test_another_column_of_0_and_1_is_never_learned(
    title: str, values: list[object], words: tuple[object, object]
) -> None:
    table = table_of(name=NAMES, **{title: values}, target=[words[label] for label in LABELS])
    with pytest.raises(UserError, match=rf"{title}.*data\.label_column") as caught:
        labels_in(table)
    assert "target" in str(caught.value)
    assert labels_in(table, "target") == ("target", LABELS)


def test_numbers_and_words_that_agree() -> None:
    table = table_of(name=NAMES, label=LABELS, label_str=[("real", "fake")[label] for label in LABELS])
    assert labels_in(table) == ("label", LABELS)


OPPOSITE = [1 - label for label in LABELS]


@pytest.mark.parametrize(
    "columns",
    [
        {"name": NAMES, "label": OPPOSITE, "label_str": [("real", "fake")[label] for label in LABELS]},
        {"name": NAMES, "is_real": OPPOSITE},
        {"name": NAMES, "authentic": [bool(value) for value in OPPOSITE]},
    ],
)
def test_what_contradicts_that_1_is_fake_stops_and_a_setting_decides(columns: dict[str, list[object]]) -> None:
    table = table_of(**columns)
    with pytest.raises(UserError, match=r"set data\.fake_label: (0|False) in the config"):
        labels_in(table)
    assert labels_in(table, fake="0")[1] == LABELS
    assert labels_in(table, fake="1")[1] == OPPOSITE


def test_folders_that_contradict_stop() -> None:
    paths = [f"{('real', 'fake')[label]}/{name}" for label, name in zip(LABELS, NAMES, strict=True)]
    table = table_of(name=NAMES, label=OPPOSITE)
    with pytest.raises(UserError, match=r"their folders are called real; set data\.fake_label: 0"):
        find_labels(table, "name", paths, None, None, None)
    one_kind = [f"photo/{name}" for name in NAMES]
    assert find_labels(table, "name", one_kind, None, None, None)[1] == OPPOSITE


def test_own_words_by_a_setting() -> None:
    table = table_of(name=NAMES, source=[("canon", "stylegan")[label] for label in LABELS])
    with pytest.raises(UserError, match=r"no column has labels.*data\.fake_label"):
        labels_in(table)
    assert labels_in(table, "source", "StyleGAN")[1] == LABELS
    with pytest.raises(UserError, match=r"data\.fake_label is 'dalle', but column source has canon, stylegan"):
        labels_in(table, "source", "dalle")
    more = table_of(name=NAMES, source=["canon", "nikon", "stylegan", "canon", "nikon", "stylegan"])
    with pytest.raises(UserError, match="there must be one value"):
        labels_in(more, "source", "stylegan")


def test_the_column_for_predictions() -> None:
    assert find_prediction(table_of(name=NAMES, pred=LABELS), "name", None) == "pred"
    assert find_prediction(table_of(untitled=list(range(6)), name=NAMES, value=LABELS), "name", None) == "value"
    assert find_prediction(table_of(name=NAMES, site=BARE, label=LABELS), "name", None) == "label"
    assert find_prediction(table_of(name=NAMES), "name", None) is None
    assert find_prediction(table_of(name=NAMES, a=LABELS, b=LABELS), "name", "b") == "b"
    with pytest.raises(UserError, match=r"columns a, b; set data\.prediction_column"):
        find_prediction(table_of(name=NAMES, a=LABELS, b=LABELS), "name", None)


@pytest.mark.parametrize("values", [("real", "stylegan2"), ("FFHQ", "AIGC"), (1, 2)])
def test_a_column_called_label_that_cannot_be_read_is_never_passed_over(values: tuple[object, object]) -> None:
    table = table_of(name=NAMES, is_male=[0, 1, 0, 1, 0, 0], label=[values[label] for label in LABELS])
    with pytest.raises(UserError, match=r"label.*set data\.label_column"):
        labels_in(table)
    assert labels_in(table, "label", str(values[1])) == ("label", LABELS)


@pytest.mark.parametrize("title", ["isReal", "IsReal", "is_photo", "not_fake", "non-fake", "isreal"])
def test_titles_that_say_that_1_is_real(title: str) -> None:
    with pytest.raises(UserError, match=r"data\.fake_label: 0"):
        labels_in(table_of(name=NAMES, **{title: OPPOSITE}))


def test_letters_of_another_meaning_are_no_labels() -> None:
    assert labels_in(table_of(name=NAMES, gender=list("FMFMFF"), label=LABELS)) == ("label", LABELS)


def test_predictions_never_replace_values_of_their_own() -> None:
    with pytest.raises(UserError, match=r"column id has values of its own"):
        find_prediction(table_of(id=BARE, filename=NAMES), "filename", None)
    with pytest.raises(UserError, match="the column of the names"):
        find_prediction(table_of(filename=NAMES), "filename", "filename")


def test_groups_go_with_their_photographs_and_are_no_labels() -> None:
    names = ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"]
    text = "name,target,who\nc.jpg,1,1\na.jpg,0,0\nb.jpg,0,1\nd.jpg,1,0\ne.jpg,1,\n"
    problems: dict[str, list[str]] = {}
    table = read_table(text.encode(), "train.csv", names)
    train, reading = read_train(table, Split(names), DataSettings(group_column="who"), problems, [])
    assert problems == {}
    assert reading.labels == "target"
    assert train.names == names
    assert train.labels.tolist() == [0, 0, 1, 1, 1]
    assert train.groups == ["0", "1", "1", "0", None]
    left = train.without({1})
    assert (left.names, left.groups) == (["a.jpg", "c.jpg", "d.jpg", "e.jpg"], ["0", "1", "0", None])
