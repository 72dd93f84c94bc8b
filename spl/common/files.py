"""Whole files or none: atomic writes, hashes, JSON."""

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from spl.common.errors import DataError
from spl.common.locks import Busy, locked, take_lock


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` and rename it to `path` if the block ends well.

    The temporary name keeps the suffix, since many writers choose the format by it. No other process writes to it; one
    that a killed process has left is used again.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for number in count():
        temporary = path.with_name(f".{path.stem}.{number}.tmp{path.suffix}")
        with named_faults(path, temporary), temporary.open("ab") as file:
            if not take_lock(file):
                continue
            try:
                yield temporary
                if os.name == "nt":
                    file.close()  # or it cannot be renamed
                os.replace(temporary, path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            return


@contextmanager
def named_faults(path: Path, *aliases: Path) -> Iterator[None]:
    """Let an error of the system carry a file's name, where it has none (a full disk), or that of a temporary file."""
    try:
        yield
    except OSError as error:
        if error.errno and (not error.filename or Path(str(error.filename)) in aliases):
            error.filename = str(path)
        raise


def sha256(path: str | Path) -> str:
    """Return the hexadecimal SHA-256 of a file's bytes.

    Raises: DataError if the file is missing.
    """
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise DataError(f"{path} does not exist. Build it first: snakemake --cores all -- {path}") from None


def foreign_content(start: bytes) -> str:
    """Say what lies in the place of a binary file, by its start; empty if nothing speaks against the file itself.

    Web pages and error messages of servers are texts that begin with a tag or, as JSON, with a brace.
    """
    if start.startswith(b"version https://git-lfs"):
        return "a pointer of Git LFS instead of the file, which `git lfs pull` brings"
    is_page = start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"<", b"{") and b"\0" not in start
    return "a web page instead of the file" if is_page else ""


def canonical_json(value: Any) -> str:
    """Serialise to JSON with sorted keys and no blanks: equal values give equal strings."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_rows(path: str | Path, rows: Iterable[Iterable[Any]]) -> None:
    """Write a CSV file atomically, row by row as they come."""
    with atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def write_json(path: str | Path, value: Any) -> None:
    """Write indented JSON atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def frozen_copy(path: str | Path, home: Path, *, more: str = "") -> Path:
    """Return a copy of a file, in a folder of `home` that its hash names: what it says now, whatever becomes of it.

    `more` is text that stands below it.
    """
    content = Path(path).read_bytes() + more.encode()
    copy = home / hashlib.sha256(content).hexdigest()[:16] / Path(path).name
    if not copy.is_file():
        with atomic(copy) as temporary:
            temporary.write_bytes(content)
    return copy


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises: DataError if the file is missing or not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path} does not exist. Build it first: snakemake --cores all -- {path}") from None
    except ValueError as error:
        raise DataError(f"{path} is not valid JSON ({error}). Delete it and run the workflow again.") from None


@contextmanager
def replace_folder(folder: str | Path, *, inputs: Iterable[Path] = ()) -> Iterator[Path]:
    """Yield an empty temporary folder and put it in the place of `folder` if the block ends well.

    Raises: DataError, before any work, if another process makes the folder, or `exchange` could not replace it, or an
        input would be lost with it.
    """
    with writing(Path(folder), inputs) as (folder, temporary):
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        try:
            yield temporary
            exchange(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def writing(folder: Path, inputs: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    """Let no other process make a folder; yield where it really lies, and the path of a temporary one beside it.

    Raises: DataError as `replace_folder` does.
    """
    folder = folder.resolve()  # a link stays; what it leads to is replaced
    if folder.is_mount():
        raise DataError(
            f"{folder} is a mounted volume, which cannot be replaced as a whole. Mount the folder above it, or make "
            f"{folder.name} a link to a folder in the volume."
        )
    for path in inputs:
        if path.resolve().is_relative_to(folder):
            raise DataError(f"{path} lies in {folder}, which is to be replaced. Name another folder.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder.with_name(f".{folder.name}.lock")), named_faults(folder):
            yield folder, folder.with_name(f".{folder.name}.partial")
    except Busy:
        raise DataError(f"another process is making {folder}. Wait for it, or stop it.") from None


def exchange(temporary: Path, folder: Path) -> None:
    """Put a temporary folder in the place of another one, which is deleted once that has succeeded."""
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    try:
        temporary.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
