"""Files of a bundle, in a folder or a zip, here or on an object store, each checked against the manifest."""

from __future__ import annotations

import errno
import hashlib
import io
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from ensemble.core.errors import UserError
from ensemble.core.storage.files import Location
from ensemble.predict.bundle.manifest import LARGEST_MANIFEST, MANIFEST, Manifest, parse_manifest

_LARGEST_ZIP: Final = 4 * 2**30  # bytes

Read = Callable[[str, int], bytes]  # name, most bytes
Content = dict[str, dict[str, bytes]]  # by folder and name


class BundleFiles:
    """The manifest, and the files that it names.

    Raises
    ------
    UserError
        There is no bundle, or a file is missing, damaged or altered.
    """

    def __init__(self, path: Location) -> None:
        self.where = str(path)
        self._path = path
        with self._opened() as read:
            self.manifest: Manifest = parse_manifest(self._read(read, MANIFEST, LARGEST_MANIFEST + 1), self.where)

    def content(self) -> Content:
        """Return the content of all files, by folder and by their names in it."""
        found: Content = defaultdict(dict)
        with self._opened() as read:
            for name in self.manifest.files:
                folder, _, rest = name.rpartition("/")
                found[folder][rest] = self._checked(read, name)
        return found

    def _checked(self, read: Read, name: str) -> bytes:
        expected = self.manifest.files[name]
        content = self._read(read, name, expected.bytes + 1)
        if len(content) != expected.bytes or hashlib.sha256(content).hexdigest() != expected.sha256:
            raise UserError(f"{self.where}: {name} is not the file that {MANIFEST} describes; copy the bundle again")
        return content

    def _read(self, read: Read, name: str, most: int) -> bytes:
        try:
            return read(name, most)
        except UserError:  # an object store that cannot be reached
            raise
        except Exception as error:  # what the readers raise on damaged bytes is no closed list
            reason = getattr(error, "strerror", None) or "it is missing or damaged"
            raise UserError(
                f"{self.where}: {name} cannot be read ({reason}); is this a complete bundle? If it was copied, "
                "copy it again"
            ) from None

    @contextmanager
    def _opened(self) -> Iterator[Read]:
        """Yield a function that reads a file of the bundle."""
        if self._path.is_dir():
            yield self._from_folder
            return
        if not self._path.is_file():
            raise UserError(f"there is no bundle {self.where}; make one with ensemble bundle STORE -o {self.where}")
        with self._path.open("rb") as file:
            content = file if isinstance(file, io.BufferedReader) else io.BytesIO(file.read(_LARGEST_ZIP))
            try:
                archive = zipfile.ZipFile(content)
            except Exception:
                raise UserError(f"{self.where} is neither a folder nor a zip file, so it is not a bundle") from None
            with archive:
                yield lambda name, most: _from_zip(archive, name, most)

    def _from_folder(self, name: str, most: int) -> bytes:
        if not (self._path / name).is_file():  # a pipe, say, would be waited for
            raise FileNotFoundError(errno.ENOENT, "no such file")
        with (self._path / name).open("rb") as file:
            content: bytes = file.read(most)
        return content


def _from_zip(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    with archive.open(name) as file:
        return file.read(most)
