"""The files of a bundle, as a folder or a zip, written as a whole or not at all."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import Final

from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location, new_file, new_folder, remove_leftovers
from ensemble.predict.bundle.files import Content
from ensemble.predict.bundle.manifest import LARGEST_BUNDLE, LARGEST_FILE, MANIFEST, File, Manifest

ZIP: Final = ".zip"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # equal content gives equal bytes


def check_target(path: Location) -> None:
    """Raise a `UserError` where something else than a bundle would be overwritten."""
    if path.suffix.lower() == ZIP:
        taken = path.is_dir() or (path.is_file() and not _is_bundle(path))
    else:
        taken = path.is_file() or (path.is_dir() and any(path.iterdir()) and not (path / MANIFEST).is_file())
    if taken:
        raise UserError(f"{path} exists and is not a bundle; give -o another path")


def _is_bundle(path: Location) -> bool:
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            return MANIFEST in archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError):
        return False


def check_sizes(content: Content) -> None:
    """Raise a `UserError` where files are too large for a bundle to be read again."""
    sizes = [len(data) for folder in content.values() for data in folder.values()]
    if max(sizes, default=0) > LARGEST_FILE or sum(sizes) > LARGEST_BUNDLE:
        raise UserError(
            f"the models have {sum(sizes) / 2**30:.1f} GiB, the largest file {max(sizes) / 2**30:.1f} GiB; a bundle "
            f"may have {LARGEST_BUNDLE // 2**30} GiB, a file {LARGEST_FILE // 2**30} GiB: blend fewer members, or "
            "train fewer cuts of the folds"
        )


def files_of(content: Content) -> dict[str, File]:
    """Return the manifest's entries of all files."""
    return {
        f"{folder}/{name}" if folder else name: File(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
        for folder, files in content.items()
        for name, data in files.items()
    }


def write_bundle(path: Location, manifest: Manifest, content: Content) -> None:
    """Write the manifest and all files, in place of an older bundle."""
    remove_leftovers(path)
    text = manifest.model_dump_json(indent=1) + "\n"
    if path.suffix.lower() == ZIP:
        with new_file(path) as temporary:
            _write_zip(temporary, text, content)
        return
    with new_folder(path, MANIFEST) as folder:
        for inside, files in content.items():
            (folder / inside).mkdir(parents=True, exist_ok=True)
            for name, data in files.items():
                (folder / inside / name).write_bytes(data)
        (folder / MANIFEST).write_text(text, encoding="utf-8")


def _write_zip(path: Path, manifest: str, content: Content) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(MANIFEST, _EPOCH), manifest, zipfile.ZIP_DEFLATED)
        for folder, files in content.items():
            for name, data in files.items():
                entry = zipfile.ZipInfo(f"{folder}/{name}" if folder else name, _EPOCH)
                archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
