"""Download of a registered file from its mirrors; it appears in its place once it is verified."""

import os
import shutil
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tqdm import tqdm

from spl.common.errors import DataError
from spl.common.locks import locked
from spl.config.registry import RegisteredFile, without_secrets
from spl.sources.transfer import Origin, Part, RetryPolicy, complete
from spl.sources.verify import MirrorUnusable, WrongContent, examine, record, verify

POLICY = RetryPolicy()


def download(file: RegisteredFile, folder: Path, *, policy: RetryPolicy = POLICY) -> Path:
    """Make `folder`/<name> exist and be the registered file; return its path.

    A file that is already there is verified and never removed. Bytes come into <name>.part, which a later call goes on
    with. The file's hash is kept in the folder's SHA256SUMS: where none is published, the first one seen counts from
    then on.

    Raises: DataError if a file that is there is wrong, if there is no mirror, or with the reason of every mirror.
    """
    path = folder / file.name
    if os.path.lexists(path):
        digest = verify(file, path)
    elif file.mirrors:
        folder.mkdir(parents=True, exist_ok=True)
        waiting = f"{path}: another process is downloading it; waiting"
        with locked(path.with_name(f"{path.name}.lock"), waiting=waiting):
            digest = verify(file, path) if os.path.lexists(path) else _fetch(file, path, policy)
    else:
        raise DataError(f"{path} is missing and cannot be downloaded. Place it there.")
    record(file, path, digest)
    return path


def _fetch(file: RegisteredFile, path: Path, policy: RetryPolicy) -> str:
    """Put the file in place from the first mirror that has it; return its SHA-256.

    Raises: DataError with the reason of every mirror.
    """
    part, reasons = Part(path), []
    for url in sorted(file.mirrors, key=lambda url: url != part.origin.url):  # first the one of the part
        try:
            digest = _receive(file, url, part, policy)
            part.move_to(path)
            return digest
        except MirrorUnusable as reason:
            reasons.append(f"  {without_secrets(url)}: {reason}")
            if isinstance(reason, WrongContent):
                part.discard()
    advice = f"Try again later, or get the file by other means and place it at {path}."
    if part.size:
        advice += f" The {part.size:,} bytes that came are kept in {part.path}; a new attempt goes on from there."
    raise DataError("\n".join([f"{path} could not be downloaded:", *reasons, advice]))


def _receive(file: RegisteredFile, url: str, part: Part, policy: RetryPolicy) -> str:
    """Complete the part and return its SHA-256; once again from zero if it is wrong and was put together."""
    try:
        return _receive_once(file, url, part, policy)
    except WrongContent as fault:
        if not part.resumed:
            raise
        tqdm.write(
            f"{without_secrets(url)}: {fault}; the download was interrupted, so it starts again", file=sys.stderr
        )
        part.discard()
    return _receive_once(file, url, part, policy)


def _receive_once(file: RegisteredFile, url: str, part: Part, policy: RetryPolicy) -> str:
    if urlsplit(url).scheme == "file":
        _copy(file, url, part, policy)
    else:
        complete(file, url, part, policy)
    return examine(file, part.path)


def _copy(file: RegisteredFile, url: str, part: Part, policy: RetryPolicy) -> None:
    """Copy a file of this machine."""
    address = urlsplit(url)
    if address.netloc not in ("", "localhost"):
        raise MirrorUnusable("expected file:///<absolute path>")
    source = Path(unquote(address.path))
    if not source.is_file() or not (size := source.stat().st_size) or not os.access(source, os.R_OK):
        raise MirrorUnusable("there is no file with content that can be read")
    policy.check_size(file, size)
    part.begin(Origin(url))
    shutil.copyfile(source, part.path)
