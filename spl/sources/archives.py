"""Archives, listed without unpacking their members; unsafe ones are rejected."""

import bz2
import errno
import gzip
import lzma
import os
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from spl.common.errors import DataError
from spl.common.files import atomic
from spl.common.names import is_hidden, plain_path
from spl.common.progress import progress

ENDINGS = (".tar", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
"""Of the names of archives; which kind one is, its first bytes say."""

ZIP = rb"PK(\x03\x04|\x05\x06|\x07\x08)"
OPENERS: dict[bytes, Callable[[BinaryIO], Any]] = {
    rb"\x1f\x8b": gzip.open, rb"BZh[1-9]1AY&SY": bz2.open, rb"\xfd7zXZ\0": lzma.open,
}  # fmt: skip
"""Decompression by a pattern of the first bytes. A .tar begins with a name, so short patterns would not do."""

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
    return path.name.lower().endswith(ENDINGS)


def list_archive(path: Path, container: str) -> Iterator[tuple[str, Place]]:
    """Yield the files in a .tar or .zip in the order of the archive; folders and hidden files are left out.

    Raises: DataError if the archive is damaged, a name leaves the folder, a member is a link or a device, or it would
        expand absurdly.
    """
    list_members = _list_zip if re.match(ZIP, _start(path)) else _list_tar
    try:
        yield from list_members(path, container)
    except DAMAGED as error:
        raise _damaged(path, error) from None


def decompress(archive: Path) -> Path:
    """Return an archive that can be read where it lies: itself, or the plain .tar beside a compressed one.

    That is written once, and again if the archive was replaced.

    Raises: DataError if the archive is damaged, would expand absurdly, or lies where nothing may be written; nothing is
        left behind then.
    """
    start = _start(archive)
    open_archive = next((opener for magic, opener in OPENERS.items() if re.match(magic, start)), None)
    if open_archive is None:
        return archive
    status, plain = archive.stat(), archive.with_name(archive.name + PLAIN)
    if plain.is_file() and plain.stat().st_mtime_ns == status.st_mtime_ns:
        return plain
    limit = _expansion_limit(status.st_size)
    bar = progress(total=status.st_size, what=f"unpack {archive.name}", unit="B", unit_scale=True)
    try:
        with atomic(plain) as temporary, bar:
            with open(archive, "rb") as raw, open_archive(raw) as stream, temporary.open("wb") as out:
                while chunk := stream.read(1 << 20):
                    out.write(chunk)
                    bar.update(raw.tell() - bar.n)
                    if out.tell() > limit:
                        raise _absurd(archive, limit)
            os.utime(temporary, ns=(status.st_atime_ns, status.st_mtime_ns))
    except (*DAMAGED, OSError) as error:
        code = error.errno if isinstance(error, OSError) else None
        if code in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise DataError(
                f"{archive} has to be unpacked beside itself, where nothing may be written. Name a folder of your own "
                f"that holds a link to it: ln -s {archive.resolve()} <folder>/"
            ) from None
        if code:  # a full disk is not the archive's fault
            raise
        raise _damaged(archive, error) from None
    return plain


def _start(path: Path) -> bytes:
    """Return the first bytes of a file."""
    with open(path, "rb") as file:
        return file.read(10)


def _list_tar(path: Path, container: str) -> Iterator[tuple[str, Place]]:
    with tarfile.open(path, "r:") as tar:
        while (member := tar.next()) is not None:
            # Or 1.8 million of them would fill the memory.
            tar.members.clear()  # pyright: ignore[reportAttributeAccessIssue]
            if member.isdir() or (name := _safe_name(path, member.name)) is None:
                continue
            if not member.isreg():
                raise _link(path, member.name)
            if member.issparse():
                raise DataError(f"{path}: {member.name} is stored as a sparse file, which cannot be read in place.")
            yield name, Place(container, member.offset_data, member.size, 0)


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
            if (name := _safe_name(path, _zip_name(entry))) is None:
                continue
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise _link(path, entry.filename)
            if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise DataError(f"{path}: {entry.filename} is encrypted or packed by an unusual method. Repack it.")
            packed = entry.compress_size if entry.compress_type == zipfile.ZIP_DEFLATED else 0
            yield name, Place(container, offset, entry.file_size, packed)


def _data_offset(file: int, entry: zipfile.ZipInfo) -> int:
    """Return where a member's bytes begin: its local header repeats the name and has extra fields of its own."""
    header = os.pread(file, 30, entry.header_offset)
    if header[:4] != b"PK\3\4":
        raise zipfile.BadZipFile(f"no member at byte {entry.header_offset}")
    lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    return entry.header_offset + 30 + lengths


def _zip_name(entry: zipfile.ZipInfo) -> str:
    """Return a member's name; many programs write UTF-8 without the flag that says so."""
    try:
        return entry.filename if entry.flag_bits & 0x800 else entry.filename.encode("cp437").decode()
    except UnicodeError:
        return entry.filename


def _safe_name(path: Path, name: str) -> str | None:
    """Return the path of a member in its source; None for a folder, and for what is hidden.

    Raises: DataError if it leaves the archive's folder.
    """
    plain = plain_path(name)
    if plain.startswith("/") or ".." in plain.split("/") or "\0" in plain or plain[1:2] == ":":
        raise DataError(f"{path}: the name {name!r} leaves the archive's folder. Do not use this archive.")
    return None if name.endswith(("/", "\\")) or is_hidden(plain) else plain


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} is damaged or no archive ({error}). Fetch it again.")


def _link(path: Path, name: str) -> DataError:
    return DataError(f"{path}: {name} is a link or a device, where a file was expected. Do not use this archive.")


def _expansion_limit(size: int) -> int:
    return ALWAYS_ALLOWED + MAX_EXPANSION * size


def _absurd(path: Path, limit: int) -> DataError:
    return DataError(f"{path} would expand to more than {limit >> 20:,} MB, absurdly much for its size. Do not use it.")
