from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from ensemble.competition.archive import read_files
from ensemble.core.errors import UserError


def tar_with(path: Path, *entries: tarfile.TarInfo, content: bytes = b"x") -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for entry in entries:
            entry.size = len(content) if entry.isreg() else 0
            archive.addfile(entry, io.BytesIO(content))
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize("name", ["../evil.jpg", "train/../../evil.jpg", "/etc/evil.jpg", "C:/evil.jpg"])
def test_path_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="outside the archive"):
        read_files(tar_with(tmp_path / "a.tar.gz", entry(name)))


@pytest.mark.parametrize("name", ["..\\evil.jpg", "/evil.jpg"])
def test_zip_path_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(name, b"x")
    with pytest.raises(UserError, match="outside the archive"):
        read_files(tmp_path / "a.zip")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    with pytest.raises(UserError, match="link or a device"):
        read_files(tar_with(tmp_path / "a.tar.gz", entry("train/1.jpg", kind, "/etc/passwd")))


def test_zip_symlink_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("train/1.jpg")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(UserError, match="is a link"):
        read_files(tmp_path / "a.zip")


def test_count_and_size_are_limited(tmp_path: Path) -> None:
    archive = tar_with(tmp_path / "a.tar.gz", entry("1.jpg"), entry("2.jpg"), content=b"x" * 100)
    with pytest.raises(UserError, match="more than"):
        read_files(archive, max_files=1)
    with pytest.raises(UserError, match="more than"):
        read_files(archive, max_bytes=150)
    assert set(read_files(archive, max_files=2, max_bytes=200)) == {"1.jpg", "2.jpg"}


@pytest.mark.parametrize("suffix", [".tar.gz", ".zip"])
@pytest.mark.parametrize("keep", [0.0, 0.3, 0.7, 0.95])
def test_truncated_archive_is_one_sentence(tmp_path: Path, suffix: str, keep: float) -> None:
    whole = tmp_path / f"whole{suffix}"
    content = bytes(range(256)) * 40
    if suffix == ".zip":
        with zipfile.ZipFile(whole, "w") as archive:
            archive.writestr("train/1.jpg", content)
    else:
        tar_with(whole, entry("train/1.jpg"), entry("train/2.jpg"), content=content)
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(whole.read_bytes()[: int(keep * whole.stat().st_size)])
    with pytest.raises(UserError, match="cannot be read to its end"):
        read_files(cut)


def test_what_systems_add_is_passed_over(tmp_path: Path) -> None:
    archive = tar_with(tmp_path / "a.tgz", entry("train/1.jpg"), entry("train/._1.jpg"), entry("__MACOSX/train/1.jpg"))
    assert set(read_files(archive)) == {"train/1.jpg"}
