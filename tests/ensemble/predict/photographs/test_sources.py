"""Which photographs a place stands for."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location, location
from ensemble.predict.photographs.sources import Source, find_sources
from tests.storage import fill, new_place

_CONTENT = b"\xff\xd8\xff not really"
_FILES = ("b.jpg", "a.PNG", "deep/er/c.webp", "deep/d.tiff")
_JUNK = (
    "__MACOSX/._a.jpg", "__MACOSX/e.jpg", "._a.jpg", ".hidden/f.jpg", "Thumbs.db", "notes.txt", "deep/.DS_Store",
    "@eaDir/b.jpg",
)  # fmt: skip


@pytest.fixture
def inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of photographs and junk, below the current folder."""
    for name in (*_FILES, *_JUNK):
        path = tmp_path / "inbox" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_CONTENT)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "inbox"


@pytest.fixture
def in_memory(inbox: Path) -> Iterator[Location]:
    """The same on an object store."""
    place = fill(new_place("memory", inbox), inbox)
    yield place
    if not isinstance(place, Path):
        place.remove_files(place.files_below())


def names(*places: str | Location) -> list[str]:
    return [source.name for source in find_sources([str(place) for place in places])]


def contents(sources: list[Source]) -> set[bytes | str]:
    return {source.read() for source in sources}


# Files, folders, patterns


def test_a_file_is_itself(inbox: Path) -> None:
    assert names("inbox/b.jpg", inbox / "a.PNG") == ["inbox/b.jpg", str(inbox / "a.PNG")]
    assert contents(find_sources(["inbox/b.jpg"])) == {_CONTENT}


def test_a_file_may_be_called_anything(inbox: Path) -> None:
    for name in ("no suffix", "wrong.exe", "[1].jpg", "*.jpg", ".secret", "ü ☃"):
        (inbox / name).write_bytes(_CONTENT)
        assert names(f"inbox/{name}") == [f"inbox/{name}"]


def test_a_folder_is_the_photographs_in_it_sorted(inbox: Path) -> None:
    found = find_sources([str(inbox)])
    assert [source.name for source in found] == [str(inbox / name) for name in sorted(_FILES)]
    assert contents(found) == {_CONTENT}


@pytest.mark.parametrize("place", [".", "./", "../inbox", "../inbox/", ""])
def test_a_folder_may_be_named_in_any_way(inbox: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.chdir(inbox)
    found = [Path(name).resolve() for name in names(place or inbox)]
    assert found == [inbox / name for name in sorted(_FILES)]


def test_a_folder_below_a_hidden_one_is_read(inbox: Path) -> None:
    assert names("inbox/.hidden") == ["inbox/.hidden/f.jpg"]
    assert names("inbox/__MACOSX") == ["inbox/__MACOSX/e.jpg"]


def test_places_keep_their_order(inbox: Path) -> None:
    assert names("inbox/deep", "inbox/b.jpg", "inbox/a.PNG", "inbox/b.jpg") == [
        "inbox/deep/d.tiff", "inbox/deep/er/c.webp", "inbox/b.jpg", "inbox/a.PNG", "inbox/b.jpg",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("inbox/*.jpg", ["inbox/b.jpg"]),
        ("inbox/*", ["inbox/a.PNG", "inbox/b.jpg"]),
        ("inbox/**/*", sorted(f"inbox/{name}" for name in _FILES)),
        ("inbox/**/**/*", sorted(f"inbox/{name}" for name in _FILES)),
        ("inbox/**/*.webp", ["inbox/deep/er/c.webp"]),
        ("inbox/?.jpg", ["inbox/b.jpg"]),
        ("inbox/[ab].*", ["inbox/a.PNG", "inbox/b.jpg"]),
        ("./inbox/*.jpg", ["./inbox/b.jpg"]),
        ("inbox/../inbox/*.jpg", ["inbox/../inbox/b.jpg"]),
        ("inbox/.hidden/*.jpg", ["inbox/.hidden/f.jpg"]),
        ("inbox/__MACOSX/*", ["inbox/__MACOSX/e.jpg"]),
    ],
)
def test_a_pattern_is_the_photographs_that_match(inbox: Path, pattern: str, expected: list[str]) -> None:
    assert names(pattern) == expected


def test_links_are_followed_once(inbox: Path) -> None:
    (inbox / "deep" / "loop").symlink_to(inbox)
    (inbox / "link.jpg").symlink_to(inbox / "b.jpg")
    (inbox / "nowhere.jpg").symlink_to(inbox / "missing")
    assert names("inbox") == sorted([*(f"inbox/{name}" for name in _FILES), "inbox/link.jpg"])


# Tables


@pytest.mark.parametrize(
    "text",
    [
        "name\nb.jpg\ndeep/d.tiff\n",
        "path\r\nb.jpg\r\ndeep/d.tiff\r\n",
        "\ufeffname\nb.jpg\ndeep/d.tiff",
        "id,Name ,pred\n1, b.jpg,0.5\n\n2,deep/d.tiff,0.5\n",
        'pred,file\n"0,5",b.jpg\n"0,5","deep/d.tiff"\n',
        "id;name\n1;b.jpg\n2;deep/d.tiff\n",
        "id\tfilename\n1\tb.jpg\n2\tdeep/d.tiff\n",
        "anything\nb.jpg\ndeep/d.tiff\n",
        "b.jpg\ndeep/d.tiff\n",
        "b.jpg,0.1\ndeep/d.tiff,0.2\n",
    ],
)
def test_a_csv_lists_photographs(inbox: Path, text: str) -> None:
    (inbox / "t.csv").write_bytes(text.encode())
    found = find_sources(["inbox/t.csv"])
    assert [source.name for source in found] == ["b.jpg", "deep/d.tiff"]
    assert contents(found) == {_CONTENT}


def test_names_may_hold_what_csv_quotes(inbox: Path) -> None:
    odd = ['a, "b".jpg', "line\nbreak.jpg", "ünï ☃.jpg"]
    for name in odd:
        (inbox / name).write_bytes(_CONTENT)
    rows = "".join('"{}"\n'.format(name.replace('"', '""')) for name in odd)
    (inbox / "t.csv").write_text(f"name\n{rows}", encoding="utf-8", newline="")
    found = find_sources(["inbox/t.csv"])
    assert [source.name for source in found] == odd
    assert contents(found) == {_CONTENT}


@given(
    st.lists(
        st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), min_size=1).filter(
            lambda name: name == name.strip() and "://" not in name
        ),
        min_size=2,
    )
)
def test_any_names_come_back(tmp_path_factory: pytest.TempPathFactory, listed: list[str]) -> None:
    table = tmp_path_factory.mktemp("t") / "t.csv"
    rows = "".join('"{}",1\n'.format(name.replace('"', '""')) for name in listed)
    table.write_text(f"name,id\n{rows}", encoding="utf-8", newline="")
    assert names(table) == listed


def test_a_text_lists_photographs(inbox: Path) -> None:
    (inbox / "t.txt").write_text("\ufeffb.jpg\r\n\n  deep/d.tiff  \na\x85b.jpg", encoding="utf-8", newline="")
    assert names("inbox/t.txt") == ["b.jpg", "deep/d.tiff", "a\x85b.jpg"]


def test_a_parquet_lists_photographs(inbox: Path) -> None:
    parquet.write_table(pa.table({"Path": ["b.jpg", None, "deep/d.tiff"], "id": [1, 2, 3]}), inbox / "t.parquet")
    found = find_sources(["inbox/t.parquet"])
    assert [source.name for source in found] == ["b.jpg", "deep/d.tiff"]
    assert contents(found) == {_CONTENT}


def test_a_table_may_name_files_elsewhere(inbox: Path, in_memory: Location) -> None:
    rows = [str(inbox / "b.jpg"), str(in_memory / "a.PNG"), f"file://{inbox}/a.PNG", "../inbox/b.jpg"]
    (inbox / "deep" / "t.txt").write_text("\n".join([*rows[:3], "../b.jpg"]))
    found = find_sources(["inbox/deep/t.txt"])
    assert len(found) == 4
    assert contents(found) == {_CONTENT}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("name,path\na,b\n", "several columns that could name photographs: name, path"),
        ("name,Name\na,b\n", "several columns"),
        ("id,pred\na,b\n", "has no column called name"),
        ("", "lists no photographs"),
        ("\n\n", "lists no photographs"),
        ("name\n", "lists no photographs"),
        ("name\n\n ,\n", "lists no photographs"),
        ("name\n" + "x" * 200_000, "cannot be read as a table"),
    ],
)
def test_a_table_that_is_not_clear_is_refused(inbox: Path, table: str, words: str) -> None:
    (inbox / "t.csv").write_text(table)
    refused(inbox / "t.csv", words)


def test_a_table_in_another_encoding_is_refused(inbox: Path) -> None:
    for suffix in ("csv", "txt"):
        (inbox / f"t.{suffix}").write_bytes("name\nü.jpg\n".encode("utf-16"))
        refused(inbox / f"t.{suffix}", "cannot be read as text in UTF-8; save it as that")


def test_a_parquet_that_is_none_is_refused(inbox: Path) -> None:
    (inbox / "t.parquet").write_bytes(_CONTENT)
    refused(inbox / "t.parquet", "cannot be read as parquet; list them in a .csv")


# What cannot be read


def refused(place: str | Path, words: str) -> None:
    with pytest.raises(UserError) as caught:
        find_sources([str(place)])
    message = str(caught.value)
    assert words in message
    assert str(place) in message
    assert ";" in message
    assert "\n" not in message
    assert not message.endswith(".")


def test_a_place_without_photographs_is_named(inbox: Path) -> None:
    (inbox / "empty").mkdir()
    (inbox / "junk" / "__MACOSX").mkdir(parents=True)
    (inbox / "junk" / "__MACOSX" / "a.jpg").write_bytes(_CONTENT)
    for place, words in {
        "inbox/missing.jpg": "inbox/missing.jpg does not exist", "missing": "missing does not exist",
        "inbox/*.gif": "no file matches", "inbox/empty": "has no photographs",
        "inbox/junk": "has no photographs", "inbox/**/er": "no file matches",
        "": "a name is empty", " ": "a name is empty", "x" * 300 + ".jpg": "file name too long",
        "inbox/b.jpg/c.jpg": "does not exist", "memory://nowhere/x": "does not exist", "a\0b": "does not exist",
    }.items():  # fmt: skip
        refused(place, words)
    with pytest.raises(UserError, match="addresses that begin with odd://"):
        find_sources(["odd://place/a"])


def test_files_that_are_missing_are_asked_about_all_the_same(inbox: Path) -> None:
    (inbox / "t.txt").write_text(f"missing.jpg\nb.jpg\ndeep\n{'x' * 300}\nb.jpg/c.jpg\nmemory://nowhere/a.jpg\na\0b")
    found = find_sources(["inbox/t.txt"])
    assert [source.read() for source in found] == [
        "cannot be read: no such file or directory",
        _CONTENT,
        "a folder",
        "cannot be read: file name too long",
        "cannot be read: not a directory",
        "cannot be read: no such file or directory",
        "cannot be read: it cannot be opened",
    ]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_a_pipe_is_not_waited_for(inbox: Path) -> None:
    os.mkfifo(inbox / "pipe.jpg")
    (inbox / "t.txt").write_text("pipe.jpg\n")
    assert find_sources(["inbox/t.txt"])[0].read() == "not a file"
    assert Source("null", Path(os.devnull)).read() == "not a file"
    assert "inbox/pipe.jpg" not in names("inbox")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is forbidden")
def test_a_file_that_may_not_be_read_is_asked_about_all_the_same(inbox: Path) -> None:
    (inbox / "b.jpg").chmod(0)
    assert find_sources(["inbox/b.jpg"])[0].read() == "cannot be read: permission denied"
    (inbox / "deep").chmod(0)
    for place in ("inbox/deep", "inbox/deep/d.tiff"):
        refused(place, "cannot be read (permission denied)")
    (inbox / "deep").chmod(0o700)


def test_linked_folders_are_followed_once(inbox: Path) -> None:
    before = names("inbox")
    outside = inbox.parent / "outside"
    outside.mkdir()
    (outside / "x.png").write_bytes(_CONTENT)
    (inbox / "linked").symlink_to(outside)
    (inbox / "linked too").symlink_to(outside)
    (outside / "back").symlink_to(inbox)
    assert names("inbox") == sorted([*before, "inbox/linked/x.png"])


def test_a_path_with_a_nul_is_asked_about_all_the_same(inbox: Path) -> None:
    """As `find -print0` writes them, which is a list of one long path."""
    (source,) = [Source("a.png\0b.png", inbox / "a.png\0b.png")]
    assert source.signature
    assert "cannot be opened" in str(source.read())


def test_of_a_large_file_only_the_beginning_is_read(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ensemble.predict.photographs.sources.MOST_BYTES", 10)
    assert find_sources(["inbox/b.jpg"])[0].read() == _CONTENT[:11]


def test_a_file_that_is_gone_meanwhile_has_a_reason(inbox: Path) -> None:
    found = find_sources(["inbox"])
    shutil.rmtree(inbox)
    assert contents(found) == {"cannot be read: no such file or directory"}


# Object stores


def test_an_object_store_is_a_folder_like_another(in_memory: Location) -> None:
    found = find_sources([str(in_memory)])
    assert [source.name for source in found] == [f"{in_memory}/{name}" for name in sorted(_FILES)]
    assert contents(found) == {_CONTENT}
    assert names(f"{in_memory}/") == [source.name for source in found]
    assert names(in_memory / "deep") == [f"{in_memory}/deep/d.tiff", f"{in_memory}/deep/er/c.webp"]


def test_an_object_is_a_file_like_another(in_memory: Location) -> None:
    assert contents(find_sources([f"{in_memory}/b.jpg"])) == {_CONTENT}
    refused(Path(str(uuid.uuid4())), "does not exist")


def test_a_table_of_an_object_store_names_its_neighbours(in_memory: Location) -> None:
    (in_memory / "t.csv").write_bytes(b"name\nb.jpg\ndeep/d.tiff\nmissing.jpg\n")
    found = find_sources([f"{in_memory}/t.csv"])
    assert [source.read() for source in found] == [_CONTENT, _CONTENT, "cannot be read: no such file or directory"]
    assert location(f"{in_memory}/b.jpg").read_bytes() == found[0].read()


def test_a_folder_below_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "a.jpg").write_bytes(b"x")
    really = os.scandir

    def scandir(path: Any = ".") -> Any:
        if str(path).endswith("private"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return really(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(UserError, match="private cannot be read"):
        find_sources([str(tmp_path)])


def test_an_object_of_another_size_is_another_one() -> None:
    folder = location("memory://signed")
    (folder / "a.png").write_bytes(b"one")
    (before,) = find_sources(["memory://signed"])
    (folder / "a.png").write_bytes(b"another")
    (after,) = find_sources(["memory://signed"])
    assert before.signature != after.signature
