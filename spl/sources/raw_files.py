"""Raw files where they lie: plain in a folder, or inside archives that are never unpacked.

A .tar and a .zip tell where each member begins, so a member is read like a slice of one large file; there is no second
copy of it. A compressed .tar cannot be read in the middle: it is decompressed once, beside itself.
"""

import os
import re
import stat
import zlib
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from spl.common.errors import DataError
from spl.common.names import is_hidden, is_image, plain_path
from spl.sources.archives import PLAIN, Place, decompress, is_archive, list_archive


class RawFiles(dict[str, Place]):
    """The places of all files of a source by plain path; those inside an archive go by their names there.

    Unpacked images win: archives are looked into only where there is no image beside them; else they are
    `passed_over`. `names` restricts the source to certain files of its folder, as a registry lists them.
    Raises: DataError if the folder cannot be read, two files have one name, a name is not UTF-8, something is no file,
        a link leads nowhere or back to its own folder, or an archive is damaged or unsafe.
    """

    def __init__(self, root: Path, names: Sequence[str] = ()) -> None:
        super().__init__()
        self.root = root
        archives = []
        for path in [root / name for name in names] or _walk(root):
            place = self._place(path)
            if is_archive(path):
                archives.append(path)
            else:
                self._add(plain_path(place.container), place)
        self.passed_over = [path.name for path in archives] if any(map(is_image, self)) else []
        if not self.passed_over:
            for archive in map(decompress, archives):
                for name, place in list_archive(archive, archive.relative_to(root).as_posix()):
                    self._add(_readable(archive, name), place)

    def _place(self, path: Path) -> Place:
        try:
            status = path.stat()
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}. Replace or remove it.") from None
        if not stat.S_ISREG(status.st_mode):
            raise DataError(f"{path} is a pipe, a socket or a device, where a file was expected. Remove it.")
        return Place(_readable(self.root, path.relative_to(self.root).as_posix()), 0, status.st_size, 0)

    def _add(self, name: str, place: Place) -> None:
        if name in self:
            first, second = self[name].container, place.container
            where = f"twice in {first}" if first == second else f"in {first} and in {second}"
            raise DataError(f"{self.root}: {name} is there {where}. Remove one of them.")
        self[name] = place

    def images(self, glob: str) -> list[str]:
        """Return the paths of the images that a glob matches."""
        return list(filter(is_image, filter(translate_glob(glob).fullmatch, self)))

    def path_of(self, line: str) -> str:
        """Return the path that a person has written, perhaps an absolute one, as it is called here."""
        if line.startswith("/"):
            places, roots = (Path(line), Path(line).resolve()), (self.root.absolute(), self.root.resolve())
            for place, root in product(places, roots):
                if place.is_relative_to(root):
                    return plain_path(str(place.relative_to(root)))
        return plain_path(line)

    def read_text(self, path: str) -> str:
        """Read a text file in UTF-8, or in UTF-16 if it begins with its mark, as PowerShell writes it.

        Raises: DataError if it is in another encoding.
        """
        content = read_place(self.root, self[path])
        try:
            text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            raise DataError(
                f"{self.root / path}: expected text in UTF-8, or in UTF-16 with its mark. Save it as UTF-8."
            )
        return text


def _readable(where: Path, name: str) -> str:
    """Return a name that can be written into a table."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise DataError(
            f"{where}: the name {os.fsencode(name)} is not UTF-8. Rename it: convmv -r -f latin1 -t utf-8 --notest "
            "<folder>; what is in an archive has to be unpacked first."
        ) from None
    return name


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
    """Turn a glob into a pattern of paths in any case: `*` and `?` stay within a folder, `**/` crosses folders."""
    special = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/?|\*|\?|\[!?[^]/]+\])", plain_path(glob))
    pattern = "".join(special.get(part) or _character_set(part) or re.escape(part) for part in parts)
    return re.compile(pattern, re.IGNORECASE)


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
    status = root.stat()
    entries = sorted(os.scandir(root), key=lambda entry: entry.name)
    identity = (status.st_dev, status.st_ino)
    if identity in ancestors:
        raise DataError(f"{root} is a link that leads back to a folder above it. Remove it.")
    for entry in entries:
        if is_hidden(entry.name) or entry.name.endswith(PLAIN):
            continue
        if Path(entry.path).is_dir():
            yield from _walk(Path(entry.path), (*ancestors, identity))
        else:
            yield Path(entry.path)
