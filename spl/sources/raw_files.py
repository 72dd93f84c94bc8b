"""Raw files where they lie: plain in a folder, or inside archives that are never unpacked.

A .tar and a .zip tell where each member begins, so a member is read like a slice of one large file; there is no second
copy of it. A compressed .tar cannot be read in the middle: it is decompressed once, beside itself.
"""

import os
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from spl.common.errors import DataError
from spl.sources.archives import PLAIN, Place, decompress, is_archive, list_archive

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


class RawFiles(dict[str, Place]):
    """The places of all files of a source by path; those inside an archive go by their names there.

    Unpacked images win: archives are looked into only where there is no image beside them. `names` restricts the
    source to certain files of its folder, as a registry lists them.
    Raises: DataError if the folder is missing, two files have one name, a link leads nowhere or back to its own folder,
        or an archive is damaged or unsafe.
    """

    def __init__(self, root: Path, names: Sequence[str] = ()) -> None:
        if not root.is_dir():
            raise DataError(f"{root} does not exist, or is no folder.")
        super().__init__()
        self.root = root
        files = [root / name for name in names] or list(_walk(root))
        plain = [path for path in files if not is_archive(path)]
        for path in plain:
            self._add(path.relative_to(root).as_posix(), self._plain(path))
        if not any(is_image(path.name) for path in plain):
            for archive in map(decompress, filter(is_archive, files)):
                for name, place in list_archive(archive, archive.relative_to(root).as_posix()):
                    self._add(name, place)

    def _plain(self, path: Path) -> Place:
        try:
            return Place(path.relative_to(self.root).as_posix(), 0, path.stat().st_size, 0)
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}. Replace or remove it.") from None

    def _add(self, name: str, place: Place) -> None:
        if name in self:
            first, second = self[name].container, place.container
            where = f"twice in {first}" if first == second else f"in {first} and in {second}"
            raise DataError(f"{self.root}: {name} is there {where}. Remove one of them.")
        self[name] = place

    def matching(self, glob: str) -> list[str]:
        """Return the paths that a glob matches; `**/` stands for any folders, also none."""
        return list(filter(translate_glob(glob).fullmatch, self))

    def read_text(self, path: str) -> str:
        """Read a text file.

        Raises: DataError if it is no UTF-8 text.
        """
        try:
            return read_place(self.root, self[path]).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError(f"{self.root}: {path} is no UTF-8 text ({error.reason}).") from None


def is_image(name: str) -> bool:
    """Tell by its ending whether a file is an image."""
    return name.lower().endswith(SUFFIXES)


def read_place(root: Path, place: Place) -> bytes:
    """Read a file's bytes.

    Raises: DataError if they cannot be read, or are not as they were when the source was listed.
    """
    path = root / place.container
    try:
        with open(path, "rb", buffering=0) as file:
            content = os.pread(file.fileno(), place.packed or place.size, place.offset)
            is_whole = place.offset or os.fstat(file.fileno()).st_size == place.size
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror}. Put it back, or fetch or prepare it again."
        ) from None
    if place.packed:
        try:
            content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, place.size + 1)
        except zlib.error as error:
            raise DataError(f"{path} is damaged at byte {place.offset} ({error}). Fetch it again.") from None
    if len(content) != place.size or not is_whole:
        raise DataError(
            f"{path} was replaced since it was listed: {place.size} bytes at {place.offset} are not there any more. "
            "Fetch again: snakemake --cores all --forcerun fetch_images fetch_masks -- all"
        )
    return content


def translate_glob(glob: str) -> re.Pattern[str]:
    """Turn a glob into a pattern for whole paths: `*` and `?` stay within a folder, `**/` crosses folders."""
    special = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/?|\*|\?|\[!?[^]/]+\])", glob)
    return re.compile("".join(special.get(part) or _character_set(part) or re.escape(part) for part in parts))


def _character_set(part: str) -> str | None:
    """Turn a glob's `[abc]` or `[!abc]` into a pattern; None for anything else."""
    if not (part.startswith("[") and part.endswith("]")):
        return None
    characters = re.escape(part[1:-1]).replace(r"\-", "-")
    return f"[^{characters[1:]}]" if characters.startswith("!") else f"[{characters}]"


def _walk(root: Path, ancestors: tuple[tuple[int, int], ...] = ()) -> Iterator[Path]:
    """Yield the files below a folder in sorted order, through links, without hidden ones.

    Raises: DataError if a link leads back to a folder above it.
    """
    try:
        status = root.stat()
        entries = sorted(os.scandir(root), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{root} cannot be read: {error.strerror}.") from None
    identity = (status.st_dev, status.st_ino)
    if identity in ancestors:
        raise DataError(f"{root} is a link that leads back to a folder above it. Remove it.")
    for entry in entries:
        if entry.name.startswith(".") or entry.name.endswith(PLAIN):
            continue
        if Path(entry.path).is_dir():
            yield from _walk(Path(entry.path), (*ancestors, identity))
        else:
            yield Path(entry.path)
