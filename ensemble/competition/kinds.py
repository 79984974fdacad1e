"""What a file is by its name and its first bytes: a photograph, junk of an operating system, or something mistaken."""

from __future__ import annotations

from pathlib import PurePosixPath

PICTURE_SUFFIXES = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".heic", ".heif",
    ".jp2", ".ppm", ".pgm",
}  # fmt: skip
TABLE_SUFFIXES = (".csv", ".tsv", ".txt")
_JUNK = {
    "__macosx", "@eadir", "$recycle.bin", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "lost+found", "#recycle",
    "@recycle", "system volume information",
}  # fmt: skip


def is_picture(name: str) -> bool:
    """Return whether a file has a suffix of photographs."""
    return PurePosixPath(name).suffix.lower() in PICTURE_SUFFIXES


def is_table(name: str) -> bool:
    """Return whether a file has a suffix of tables."""
    return name.lower().endswith(TABLE_SUFFIXES)


def is_junk(name: str) -> bool:
    """Return whether a path has a hidden part, or one that operating systems and network drives add."""
    return any(part.startswith(".") or part.lower() in _JUNK for part in PurePosixPath(name).parts)


def mistaken_for(content: bytes) -> str | None:
    """Return what a file is instead of an archive, a table or a photograph, with the remedy; None if unknown."""
    if not content:
        return "an empty file; download it again"
    start = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<script")):
        return "an HTML page, such as one for logging in; download the file itself"
    if start.startswith(b"version https://git-lfs.github.com/"):
        return "a Git LFS pointer, not the file; run git lfs pull"
    return None
