from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from ensemble.competition.archive import Allowance, read_archive
from ensemble.core.errors import UserError


def read(content: bytes, name: str = "a.tar.gz", allowance: Allowance | None = None) -> dict[str, bytes]:
    return read_archive(io.BytesIO(content), name, allowance).files


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def tar_of(*entries: tarfile.TarInfo, content: bytes = b"x", mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for info in entries:
            info.size = len(content) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def zip_of(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


PLAIN = tar_of(entry("train/1.jpg"), mode="w")


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        gzip.compress(PLAIN),
        bz2.compress(PLAIN),
        lzma.compress(PLAIN),
        pa.compress(PLAIN, "zstd", asbytes=True),
        zip_of({"train/1.jpg": b"x"}),
        zip_of({"train/1.jpg": b"x"}, zipfile.ZIP_LZMA),
    ],
    ids=["tar", "gz", "bz2", "xz", "zst", "zip", "zip with lzma"],
)
@pytest.mark.parametrize("name", ["a.tar.gz", "a.zip"])
def test_the_kind_is_recognised_by_the_bytes_whatever_the_suffix(content: bytes, name: str) -> None:
    assert read(content, name) == {"train/1.jpg": b"x"}


def test_one_compressed_file() -> None:
    assert read(gzip.compress(b"name,target\n"), "data/train.csv.gz") == {"train.csv": b"name,target\n"}


@pytest.mark.parametrize("name", ["../evil.jpg", "train/../../evil.jpg", "C:/evil.jpg", "C:\\evil.jpg"])
def test_path_that_leads_out_is_refused(name: str) -> None:
    for content in (tar_of(entry(name)), zip_of({name: b"x"})):
        with pytest.raises(UserError, match="outside the archive"):
            read(content)


@pytest.mark.parametrize("name", ["/train/1.jpg", "./train/1.jpg", "train\\1.jpg", "//train/1.jpg"])
def test_leading_slashes_are_dropped(name: str) -> None:
    assert set(read(tar_of(entry(name)))) == {"train/1.jpg"}
    assert set(read(zip_of({name: b"x"}))) == {"train/1.jpg"}


def test_a_colon_alone_is_no_drive() -> None:
    assert set(read(tar_of(entry("12:30/1.jpg"), entry("a:b.jpg")))) == {"12:30/1.jpg", "a:b.jpg"}


def test_links_inside_are_resolved_and_others_ignored() -> None:
    content = tar_of(
        entry("train/1.jpg"),
        entry("train/2.jpg", tarfile.LNKTYPE, "train/1.jpg"),
        entry("test/3.jpg", tarfile.SYMTYPE, "../train/1.jpg"),
        entry("latest", tarfile.SYMTYPE, "train"),
        entry("train/4.jpg", tarfile.SYMTYPE, "/etc/passwd"),
        entry("train/5.jpg", tarfile.LNKTYPE, "../../etc/passwd"),
        *(entry(f"device{i}", kind) for i, kind in enumerate((tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE))),
    )
    assert read(content) == dict.fromkeys(["train/1.jpg", "train/2.jpg", "test/3.jpg"], b"x")


def test_a_link_in_a_zip_is_ignored() -> None:
    link = zipfile.ZipInfo("train/1.jpg")
    link.external_attr = 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert read(buffer.getvalue()) == {}


def test_what_links_lead_to_counts_too() -> None:
    links = [entry(f"{number}.jpg", tarfile.LNKTYPE, "0.jpg") for number in range(1, 9)]
    content = tar_of(entry("0.jpg"), *links, content=b"x" * 100)
    assert len(read(content, allowance=Allowance(files=9, bytes=900))) == 9
    for allowance in (Allowance(files=8), Allowance(bytes=899)):
        with pytest.raises(UserError, match="more files or bytes than are read"):
            read(content, allowance=allowance)


def test_count_and_size_are_limited() -> None:
    content = tar_of(entry("1.jpg"), entry("2.jpg"), content=b"x" * 100)
    for allowance in (Allowance(files=1), Allowance(bytes=150)):
        with pytest.raises(UserError, match="more"):
            read(content, allowance=allowance)
    with pytest.raises(UserError, match="more"):
        read(gzip.compress(b"\0" * 10_000, 9)[:], allowance=Allowance(bytes=1000))
    assert set(read(content, allowance=Allowance(2, 200))) == {"1.jpg", "2.jpg"}


def test_what_is_decompressed_and_not_kept_counts_too() -> None:
    content = tar_of(entry("1.jpg"), entry("__MACOSX/2.jpg"), content=b"x" * 100)
    assert set(read(content, allowance=Allowance(2, 200))) == {"1.jpg"}
    for allowance in (Allowance(files=1), Allowance(bytes=199)):
        with pytest.raises(UserError, match="more files or bytes than are read"):
            read(content, allowance=allowance)


def test_one_file_is_limited_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ensemble.competition.archive.MAX_FILE_BYTES", 20_000)
    long = b"\0" * 20_001
    after_its_end = gzip.compress(PLAIN + long)
    for content in (zip_of({"1.jpg": long}), tar_of(entry("1.jpg"), content=long), gzip.compress(long), after_its_end):
        with pytest.raises(UserError, match="more files or bytes than are read"):
            read(content)
    assert set(read(tar_of(entry("1.jpg"), entry("2.jpg"), content=long[1:]))) == {"1.jpg", "2.jpg"}


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, None], ids=["gz", "bz2", "xz", "zip"])
@pytest.mark.parametrize("keep", [0.3, 0.7, 0.95])
def test_truncated_archive_is_one_sentence(pack: object, keep: float) -> None:
    content = bytes(range(256)) * 40
    whole = (
        pack(tar_of(entry("train/1.jpg"), entry("train/2.jpg"), content=content, mode="w"))
        if callable(pack)
        else zip_of({"train/1.jpg": content})
    )
    with pytest.raises(UserError, match="cannot be read to its end"):
        read(whole[: int(keep * len(whole))])


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, None], ids=["gz", "bz2", "xz", "zip"])
def test_damage_in_the_middle_is_one_sentence(pack: object) -> None:
    content = bytes((i * 7919) % 251 for i in range(20_000))
    whole = bytearray(
        pack(tar_of(entry("train/1.jpg"), content=content, mode="w"))
        if callable(pack)
        else zip_of({"train/1.jpg": content})
    )
    middle = len(whole) // 2
    for place in range(middle, middle + 40):
        whole[place] ^= 0xFF
    with pytest.raises(UserError, match="download it again"):
        read(bytes(whole))


def test_bytes_after_the_end_of_gzip_are_passed_over_with_a_word() -> None:
    content = tar_of(entry("train/1.jpg"), content=b"x" * 5000)
    found = read_archive(io.BytesIO(content + b"-----BEGIN SIGNATURE-----\n" * 5), "a.tgz")
    assert set(found.files) == {"train/1.jpg"}
    assert found.notes == ["a.tgz is complete; bytes after its end ignored"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>log in</html>", "HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"7z\xbc\xaf\x27\x1c" + b"\0" * 100, "7z"),
        (b"Rar!\x1a\x07\x01" + b"\0" * 100, "RAR"),
        (b"something else", "is not a tar, zip or compressed file"),
    ],
)
def test_what_is_no_archive_is_named(content: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read(content)
    assert ("download it again" in str(caught.value)) == (not content)


def patched_zip(flag: int = 0, method: int | None = None) -> bytes:
    """A zip with a bit set in the flags of its file, or with another number of its method."""
    content = bytearray(zip_of({"train/1.jpg": b"x" * 100}))
    for place, offset in ((0, 6), (content.index(b"PK\x01\x02"), 8)):
        content[place + offset] |= flag
        if method is not None:
            content[place + offset + 2] = method
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (patched_zip(flag=1), "has a password"),
        (patched_zip(method=9), "Deflate64"),
        (patched_zip(method=98), "rare method"),
    ],
)
def test_zips_that_need_another_program(content: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read(content)
    assert "download it again" not in str(caught.value)


@pytest.mark.parametrize("lies", [True, False])
def test_zip_names_whose_flag_lies(lies: bool) -> None:
    """Either it is set and the name is Latin-1, or it is not set and the name is UTF-8."""
    content = zip_of({"train/M\u00fcller.jpg": b"x", "train/2.jpg": b"y"})
    utf8, latin = "M\u00fcller".encode(), b"M\xfcller_"
    if lies:
        content = content.replace(utf8, latin)
        expected = "train/M\udcfcller_.jpg"
    else:
        changed = bytearray(content)
        for place in (content.index(b"PK\x03\x04") + 6, content.index(b"PK\x01\x02") + 8):
            changed[place + 1] = 0
        content = bytes(changed)
        expected = "train/M\u00fcller.jpg"
    assert set(read(content)) == {expected, "train/2.jpg"}


def test_what_systems_add_is_passed_over() -> None:
    names = ["._1.jpg", ".DS_Store", "@eaDir/1.jpg/THUMB.jpg", "Thumbs.db", "desktop.ini", ".ipynb_checkpoints/1.jpg"]
    junk = [entry(f"train/{name}") for name in names] + [entry("__MACOSX/train/1.jpg"), entry("$RECYCLE.BIN/1.jpg")]
    assert set(read(tar_of(entry("train/1.jpg"), *junk))) == {"train/1.jpg"}


def test_an_unreadable_file_is_no_damaged_one(tmp_path: Path) -> None:
    class Unreadable(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise PermissionError(13, "Permission denied")

    with pytest.raises(UserError, match=r"a\.zip cannot be read: Permission denied"):
        read_archive(Unreadable(), "a.zip")


@pytest.mark.parametrize("order", [("a.jpg", "b.jpg"), ("b.jpg", "a.jpg")])
def test_links_to_links_are_resolved(order: tuple[str, str]) -> None:
    targets = {"a.jpg": "b.jpg", "b.jpg": "c.jpg"}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in order:
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, targets[name]
            tar.addfile(link)
        file = tarfile.TarInfo("c.jpg")
        file.size = 1
        tar.addfile(file, io.BytesIO(b"x"))
    buffer.seek(0)
    assert read_archive(buffer, "x.tar").files == dict.fromkeys(["a.jpg", "b.jpg", "c.jpg"], b"x")
