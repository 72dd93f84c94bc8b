"""Archives, listed without unpacking their members; unsafe ones are rejected."""

import bz2
import gzip
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from spl.common.errors import DataError
from spl.common.files import atomic
from spl.common.progress import progress

OPENERS: dict[str, Callable[[BinaryIO], Any]] = {
    ".tar.gz": gzip.open, ".tgz": gzip.open, ".tar.bz2": bz2.open, ".tar.xz": lzma.open,
}  # fmt: skip
"""Decompression by the ending of a name."""

PLAIN = ".unpacked.tar"
"""Ending of the plain .tar that a compressed one is unpacked into."""

MAX_EXPANSION = 100
"""An archive may hold this many times its own size, beside what a small one may hold anyway."""

ALWAYS_ALLOWED = 100 << 20
"""Bytes."""

DAMAGED = (
    tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, lzma.LZMAError, zlib.error, EOFError, NotImplementedError,
)  # fmt: skip
"""What the libraries raise for an archive that they cannot read; the last is zipfile's word for an unknown version."""


class Place(NamedTuple):
    """Where the bytes of a file lie: a slice of a container, perhaps deflated (`packed` bytes, 0 if stored)."""

    container: str
    """Path of a plain file or an archive, relative to the source's folder."""

    offset: int
    size: int
    packed: int


def is_archive(path: Path) -> bool:
    """Tell whether members of a file can be read, perhaps after it was decompressed."""
    return path.name.lower().endswith((".tar", ".zip", *OPENERS))


def list_archive(path: Path, container: str) -> Iterator[tuple[str, Place]]:
    """Yield the files in a .tar or .zip in the order of the archive; folders and hidden files are left out.

    Raises: DataError if the archive is damaged, a name leaves the folder, a member is a link or a device, or it would
        expand absurdly.
    """
    list_members = _list_zip if path.name.lower().endswith(".zip") else _list_tar
    try:
        yield from list_members(path, container)
    except DAMAGED as error:
        raise _damaged(path, error) from None


def decompress(archive: Path) -> Path:
    """Return an archive that can be read where it lies: itself, or the plain .tar beside a compressed one.

    That is written once, and again if the archive was replaced.

    Raises: DataError if the archive is damaged, or would expand absurdly; nothing is left behind then.
    """
    open_archive = next((OPENERS[ending] for ending in OPENERS if archive.name.lower().endswith(ending)), None)
    if open_archive is None:
        return archive
    status, plain = archive.stat(), archive.with_name(archive.name + PLAIN)
    if plain.is_file() and plain.stat().st_mtime_ns == status.st_mtime_ns:
        return plain
    limit = _expansion_limit(status.st_size)
    bar = progress(total=status.st_size, what=f"unpack {archive.name}", unit="B", unit_scale=True)
    with atomic(plain) as temporary, bar:
        try:
            with open(archive, "rb") as raw, open_archive(raw) as stream, temporary.open("wb") as out:
                while chunk := stream.read(1 << 20):
                    out.write(chunk)
                    bar.update(raw.tell() - bar.n)
                    if out.tell() > limit:
                        raise _absurd(archive, limit)
        except (*DAMAGED, OSError) as error:
            if isinstance(error, OSError) and error.errno:  # a full disk is not the archive's fault
                raise
            raise _damaged(archive, error) from None
        os.utime(temporary, ns=(status.st_atime_ns, status.st_mtime_ns))
    return plain


def _list_tar(path: Path, container: str) -> Iterator[tuple[str, Place]]:
    with tarfile.open(path, "r:") as tar:
        while (member := tar.next()) is not None:
            # Or 1.8 million of them would fill the memory.
            tar.members.clear()  # pyright: ignore[reportAttributeAccessIssue]
            if member.isdir() or _is_hidden(member.name):
                continue
            if not member.isreg():
                raise _link(path, member.name)
            if member.issparse():
                raise DataError(f"{path}: {member.name} is stored as a sparse file, which cannot be read in place.")
            yield _safe_name(path, member.name), Place(container, member.offset_data, member.size, 0)


def _list_zip(path: Path, container: str) -> Iterator[tuple[str, Place]]:
    limit = _expansion_limit(path.stat().st_size)
    with zipfile.ZipFile(path) as archive, open(path, "rb", buffering=0) as file:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > limit:
            raise _absurd(path, limit)
        end = 0
        for entry in sorted(entries, key=lambda entry: entry.header_offset):
            offset = _data_offset(file.fileno(), entry)
            if entry.header_offset < end:
                raise DataError(f"{path}: members overlap, as in a zip bomb. Do not use it.")
            end = offset + entry.compress_size
            if entry.is_dir() or _is_hidden(entry.filename):
                continue
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise _link(path, entry.filename)
            if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise DataError(f"{path}: {entry.filename} is encrypted or packed by an unusual method. Repack it.")
            packed = entry.compress_size if entry.compress_type == zipfile.ZIP_DEFLATED else 0
            yield _safe_name(path, entry.filename), Place(container, offset, entry.file_size, packed)


def _data_offset(file: int, entry: zipfile.ZipInfo) -> int:
    """Return where a member's bytes begin: its local header repeats the name and has extra fields of its own."""
    header = os.pread(file, 30, entry.header_offset)
    if header[:4] != b"PK\3\4":
        raise zipfile.BadZipFile(f"no member at byte {entry.header_offset}")
    lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    return entry.header_offset + 30 + lengths


def _is_hidden(name: str) -> bool:
    return any(part == "__MACOSX" or (part.startswith(".") and part not in (".", "..")) for part in name.split("/"))


def _safe_name(path: Path, name: str) -> str:
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or "\\" in name or "\0" in name or name[1:2] == ":":
        raise DataError(f"{path}: the name {name!r} leaves the archive's folder. Do not use this archive.")
    return "/".join(parts)


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} is damaged or no archive ({error}). Fetch it again.")


def _link(path: Path, name: str) -> DataError:
    return DataError(f"{path}: {name} is a link or a device, where a file was expected. Do not use this archive.")


def _expansion_limit(size: int) -> int:
    return ALWAYS_ALLOWED + MAX_EXPANSION * size


def _absurd(path: Path, limit: int) -> DataError:
    return DataError(f"{path} would expand to more than {limit >> 20:,} MB, absurdly much for its size. Do not use it.")
