"""What is written is there whole or not at all, in a folder, in memory and on S3 alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ensemble.core.errors import UserError
from ensemble.core.storage.files import (
    Location,
    folder_content,
    local_copy,
    location,
    move_folder,
    new_file,
    new_folder,
    remove_unfinished,
    write_text,
)
from ensemble.core.storage.remote import RemotePath
from tests.storage import content, fill


def write_folder(path: Location, text: str, *names: str, markers: tuple[str, ...] = ("mark",)) -> None:
    with new_folder(path, *markers) as folder:
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)


def test_paths_stay_paths_and_addresses_become_remote() -> None:
    assert location("oof/x") == Path("oof/x")
    assert location(Path("oof")) == Path("oof")
    assert location("file:///tmp/oof") == Path("/tmp/oof")  # noqa: S108  nothing is written there
    assert str(location("s3://bucket/oof/x")) == "s3://bucket/oof/x"
    assert str(location("memory://a") / "b") == "memory://a/b"
    with pytest.raises(UserError, match="nowhere"):
        location("nowhere://at/all")


def test_a_file_is_written_and_read(place: Location) -> None:
    write_text(place / "a" / "ä.txt", "süß\n")
    with new_file(place / "b") as temporary:
        temporary.write_bytes(b"\0\1")
    assert (place / "a" / "ä.txt").read_text(encoding="utf-8") == "süß\n"
    assert (place / "b").read_bytes() == (place / "b").open("rb").read() == b"\0\1"
    assert (place / "b").is_file()
    assert (place / "a").is_dir()
    assert not (place / "a").is_file()
    assert not (place / "c").exists()
    assert [path.name for path in place.glob("*")] in (["a", "b"], ["b", "a"])
    (place / "b").unlink(missing_ok=True)
    (place / "b").unlink(missing_ok=True)
    assert not (place / "b").exists()


def test_what_is_not_there_is_a_plain_answer(place: Location) -> None:
    write_text(place / "a", "x")
    with pytest.raises(FileNotFoundError) as caught:
        (place / "no" / "where").read_bytes()
    assert str(caught.value.filename).endswith("no/where")
    assert list((place / "no").glob("*/x")) == []


def test_globs_find_the_same_everywhere(place: Location) -> None:
    for name in ("members/a/fold-0/x", "members/a/imported.json", "members/.b/imported.json", "members/c[1]/fold-1/y"):
        write_text(place / name, name)
    assert sorted(str(p.parent.name) for p in place.glob("members/[!.]*/imported.json")) == ["a"]
    assert sorted(p.name for p in place.glob("members/*/fold-*")) == ["fold-0", "fold-1"]


def test_a_folder_takes_the_place_of_another_as_a_whole(place: Location) -> None:
    write_folder(place / "f", "old", "a", "deep/b", "mark")
    write_folder(place / "f", "new", "a", "deep/c[0]", "mark")
    assert content(place) == dict.fromkeys(["f/a", "f/deep/c[0]", "f/mark"], b"new")


def test_a_failed_write_leaves_the_old(place: Location) -> None:
    write_folder(place / "f", "old", "a", "mark")
    write_text(place / "file", "old")

    def fail(context: Any) -> None:
        with context as path:
            (path / "a" if path.is_dir() else path).write_text("new")
            raise RuntimeError("no")

    for context in (new_folder(place / "f", "mark"), new_file(place / "file")):
        with pytest.raises(RuntimeError):
            fail(context)
    assert content(place) == dict.fromkeys(["f/a", "f/mark", "file"], b"old")


class Cut(Exception):
    """The process ends here."""


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ends the process, as it were, before so many requests that change something."""

    def after(requests: int) -> None:
        left = [requests]

        def counted(name: str) -> Any:
            real = getattr(RemotePath, name)

            def do(self: RemotePath, *args: Any) -> Any:
                if left[0] == 0:
                    raise Cut
                left[0] -= 1
                return real(self, *args)

            return do

        for name in ("write_bytes", "remove_files", "copy_files"):
            monkeypatch.setattr(RemotePath, name, counted(name))

    return after


@pytest.mark.fault("an upload is cut short")
@pytest.mark.parametrize("kind", ["memory", pytest.param("s3", marks=pytest.mark.s3)])
@pytest.mark.parametrize("replaces", [False, True])
@pytest.mark.parametrize("requests", range(9))
def test_an_upload_that_is_cut_short_does_not_count(
    kind: str, replaces: bool, requests: int, request: pytest.FixtureRequest, tmp_path: Path, cut: Any
) -> None:
    """Whenever it ends: where the marker is, everything is that the marker is about."""
    place = fresh(kind, request, tmp_path)
    names = ("a", "b", "sub/mark", "sub/c", "mark")
    if replaces:
        write_folder(place, "old", *names, "stray")
    cut(requests)
    try:
        write_folder(place, "new", *names)
        ended = True
    except Cut:
        ended = False
    found = content(place)
    if "mark" in found:
        versions = {(v, len(found)) for v in found.values()}
        assert versions == {(b"new", 5)} if requests > 0 else versions <= {(b"old", 6)}
    assert ended == (requests >= (8 if replaces else 6))


def fresh(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> RemotePath:
    from tests.storage import new_place

    if kind == "s3":
        request.getfixturevalue("s3")
    found = new_place(kind, tmp_path)
    assert isinstance(found, RemotePath)
    return found


@pytest.mark.parametrize("requests", range(6))
def test_a_move_that_is_cut_short_loses_nothing(
    requests: int, request: pytest.FixtureRequest, tmp_path: Path, cut: Any
) -> None:
    place = fresh("memory", request, tmp_path)
    write_folder(place / "old", "x", "a", "sub/b", "mark")
    whole = content(place / "old")
    cut(requests)
    try:
        move_folder(place / "old", place / "new", "mark")
        ended = True
    except Cut:
        ended = False
    old, new = content(place / "old"), content(place / "new")
    assert whole in (old, new)
    assert ("mark" in old) != ended  # the next run sees what there is to be moved
    assert ("mark" not in new) or new == whole


def test_a_neighbour_of_a_like_name_is_left_alone(place: Location) -> None:
    for name in ("fold-1", "fold-10", "fold-1~aside"):
        write_folder(place / name, name, "a", "stray", "mark")
    write_folder(place / "fold-1", "new", "a", "mark")
    move_folder(place / "fold-1", place / "moved", "mark")
    left = {f"{name}/{file}": name.encode() for name in ("fold-10", "fold-1~aside") for file in ("a", "stray", "mark")}
    assert content(place) == {"moved/a": b"new", "moved/mark": b"new", **left}


def test_a_folder_gets_another_name(place: Location) -> None:
    write_folder(place / "old", "x", "a", "sub/b", "mark")
    move_folder(place / "old", place / "new", "mark")
    assert content(place) == dict.fromkeys(["new/a", "new/sub/b", "new/mark"], b"x")
    assert not (place / "old").exists()


def test_a_library_that_needs_a_real_file_gets_one(place: Location) -> None:
    write_folder(place / "f", "x", "a", "sub/b")
    with local_copy(place / "f") as folder, local_copy(place / "f" / "a") as file:
        assert isinstance(folder, Path)
        assert isinstance(file, Path)
        assert {name: text.decode() for name, text in content(folder).items()} == {"a": "x", "sub/b": "x"}
        assert file.read_text() == "x"
    assert folder.exists() == isinstance(place, Path)


def test_a_folder_is_read_at_any_depth(place: Location, tmp_path: Path) -> None:
    source = tmp_path / "source"
    write_folder(source, "four", "b", "a/c", ".hidden/d")
    assert folder_content(fill(place, source)) == dict.fromkeys((".hidden/d", "a/c", "b"), b"four")


def test_nothing_unfinished_is_left_on_an_object_store(place: Location) -> None:
    write_folder(place / "f", "x", "a")
    remove_unfinished(place)
    assert content(place) == {"f/a": b"x"}
