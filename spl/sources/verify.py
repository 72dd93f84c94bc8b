"""Verification of registered files by hash; a hash that is not published is recorded at first sight."""

import hashlib
import html
import re
import sys
from pathlib import Path

from tqdm import tqdm

from spl.common.errors import DataError
from spl.common.files import foreign_content, write_text
from spl.common.locks import locked
from spl.common.progress import progress
from spl.config.registry import RegisteredFile

SUMS = "SHA256SUMS"
"""List of the hashes of a folder's files, beside them, in the format of `sha256sum -c`."""

NOTES = (".part", ".part.json", ".lock", SUMS)
"""Endings of what downloads leave beside files."""

CHUNK = 1 << 20
HEAD = 1 << 14
"""Bytes within which a web page is recognised."""


class MirrorUnusable(Exception):
    """A mirror does not give the file."""


class WrongContent(MirrorUnusable):
    """A file is there, but it is not the registered one."""


def is_note(name: str) -> bool:
    """Whether a name is hidden, or that of a note of a download: not of a file that somebody has placed."""
    return name.startswith(".") or name.endswith(NOTES)


def verify(file: RegisteredFile, path: Path) -> str:
    """Return the SHA-256 of a file after comparing it with what is published.

    If no hash is published, it is compared with the one in the SHA256SUMS beside it, if any.

    Raises: DataError if it is missing or not the registered file.
    """
    try:
        return examine(file, path)
    except FileNotFoundError:
        raise DataError(f"{path} is missing. Download it or place it there.") from None
    except WrongContent as fault:
        advice = "Replace it by the right one, or remove it and run this again."
        if not file.hashes:
            advice += f" If the publisher has changed the file, also remove its line from {path.parent / SUMS}."
        raise DataError(f"{path} is not the registered file: {fault}.\n{advice}") from None


def examine(file: RegisteredFile, path: Path) -> str:
    """Return the SHA-256 of a file after comparing it with what is known of the registered one.

    Raises: WrongContent saying what differs.
    """
    with path.open("rb") as stream:
        start = stream.read(HEAD)
    if foreign := foreign_content(start):
        words = re.sub("<[^>]*>", " ", start.decode("utf-8-sig", errors="replace")).split()
        raise WrongContent(f"got {foreign}: {html.unescape(' '.join(words))[:100]!r}")
    if not start:
        raise WrongContent("expected some bytes, got 0")
    expected, source = file.hashes, ""
    if not expected and (known := recorded(path.parent).get(file.name)):
        expected, source = {"sha256": known}, f" (recorded in {path.parent / SUMS})"
    digests = _hash(path, {"sha256", *expected})
    for kind, digest in expected.items():
        if not digests[kind].startswith(digest):
            raise WrongContent(f"expected {kind} {digest}{source}, got {digests[kind]}")
    return digests["sha256"]


def record(file: RegisteredFile, path: Path, digest: str) -> None:
    """List a verified file in SHA256SUMS, and say so if only this list vouches for it from now on."""
    sums = path.with_name(SUMS)
    if recorded(path.parent).get(file.name) == digest:
        return
    with locked(path.with_name(f"{SUMS}.lock"), waiting=f"{sums}: waiting for another process"):
        entries = recorded(path.parent) | {file.name: digest}
        write_text(sums, "".join(f"{entries[name]}  {name}\n" for name in sorted(entries)))
    if not file.hashes:
        text = f"{path}: no hash is published; from now on the file has to have SHA-256 {digest}, recorded in {sums}"
        tqdm.write(text, file=sys.stderr)


def recorded(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file that the folder's SHA256SUMS lists, by name; empty without that list.

    Raises: DataError if a line is not one of sha256sum.
    """
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    entries = {}
    for number, line in enumerate(lines, 1):
        if not (match := re.fullmatch(r"([0-9a-fA-F]{64}) [ *](.+)", line)):
            raise DataError(
                f"{folder / SUMS}, line {number}: expected '<sha256>  <name>' as sha256sum writes it, got {line!r}. "
                "Correct or remove the line."
            )
        entries[match[2]] = match[1].lower()
    return entries


def _hash(path: Path, kinds: set[str]) -> dict[str, str]:
    """Return hashes of several kinds from one pass over the bytes."""
    size = path.stat().st_size
    digests = {kind: hashlib.new("sha1" if kind == "git_blob" else kind, usedforsecurity=False) for kind in kinds}
    if "git_blob" in digests:
        digests["git_blob"].update(f"blob {size}\0".encode())
    bar = progress(total=size, what=f"verify {path.name}", unit="B", unit_scale=True, delay=2)
    with path.open("rb") as file, bar:
        while chunk := file.read(CHUNK):
            for digest in digests.values():
                digest.update(chunk)
            bar.update(len(chunk))
    return {kind: digest.hexdigest() for kind, digest in digests.items()}
