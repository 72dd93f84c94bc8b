"""Fetching a registered file, by HTTP with resuming and mirrors or by copying; in place only once it is verified."""

import hashlib
import html
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests
from filelock import AcquireReturnProxy, FileLock, Timeout
from requests.exceptions import ChunkedEncodingError
from tqdm import tqdm
from urllib3.exceptions import HTTPError

from spl.common.errors import DataError
from spl.common.files import atomic, write_json, write_text
from spl.config.registry import RegisteredFile

SUMS = "SHA256SUMS"
"""Beside the files of a folder: their hashes, in the format of `sha256sum -c`."""

CHUNK = 1 << 20
HEAD = 1 << 14
"""Bytes within which an error page that came instead of a file is recognised."""

LARGE = 100_000_000
"""Bytes above which hashing shows its progress."""

RETRIED = {429, 500, 502, 503, 504}
"""What a server answers that may do better a little later."""

HTML = re.compile(rb"((?><!--.*?-->|<\?xml.*?\?>)\s*)*+<(!doctype html|html|head|body)\b", re.S | re.I)
PAGES = (
    ("an HTML page", HTML, {".html", ".htm"}),
    ("an XML document", re.compile(rb"<(\?xml|error)\b", re.I), {".xml", ".html", ".htm", ".txt", ".csv"}),
    ("a JSON document", re.compile(rb"[{\[]"), {".json", ".yaml", ".yml", ".txt", ".csv"}),
)
"""Error documents that servers send instead of a file: what they are, how they begin, which names may hold them."""


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for.

    An attempt that brought new bytes, and not too slowly, does not count against `attempts`.
    """

    timeout: float = 60.0  # seconds without a byte, and for connecting
    attempts: int = 5  # per mirror
    backoff: float = 1.0  # seconds before the second attempt, doubled each time, at most 60
    slowest: float = 1000.0  # bytes per second, on average over `timeout`; a slower server counts as stalled

    def wait(self, failures: int, retry_after: float) -> float:
        """Return the seconds to wait after so many failures, longer if the server asked for it (in reason)."""
        return max(min(self.backoff * 2 ** max(failures - 1, 0), 60.0), min(retry_after, 60 * self.backoff))


PATIENCE = Patience()


class _Refused(Exception):
    """This mirror is of no use."""


class _Spoilt(_Refused):
    """What came, or what lies there, is not the registered file."""


class _Interrupted(Exception):
    """This attempt failed; the next may go on from here."""

    def __init__(self, reason: str, retry_after: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


@dataclass(frozen=True)
class _Origin:
    """Where the bytes of a part came from; `validator` is a strong ETag or a date, `total` the size announced."""

    url: str = ""
    validator: str | None = None
    total: int | None = None


class _Part:
    """The bytes that are here so far, beside their final place; a later process goes on with them."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(f"{path.name}.part")
        self._note = path.with_name(f"{path.name}.part.json")
        self.resumed = False  # not all of it came in one go

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def origin(self) -> _Origin:
        try:
            return _Origin(**json.loads(self._note.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return _Origin()

    @origin.setter
    def origin(self, origin: _Origin) -> None:
        if origin != self.origin:
            write_json(self._note, asdict(origin))

    def discard(self) -> None:
        # In this order: a note without bytes is harmless, bytes with a later note would be mixed with others.
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def move_to(self, path: Path) -> None:
        _flush_to_disk(self.path)
        os.replace(self.path, path)
        self._note.unlink(missing_ok=True)


def download(file: RegisteredFile, folder: Path, *, patience: Patience = PATIENCE) -> Path:
    """Make `folder`/<name> exist and be the registered file; return its path.

    A file that is already there is verified and never removed. Bytes come into <name>.part, which a later call goes on
    with; the file appears once it is verified. Its hash is kept in the folder's SHA256SUMS: where none is published,
    the first one seen is the one that counts from then on.

    Raises: DataError if a file that is there is wrong, if there is no mirror, or with the reason of every mirror.
    """
    path = folder / file.name
    if os.path.lexists(path):
        digest = verify(file, path)
    elif file.mirrors:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(path):
            digest = verify(file, path) if os.path.lexists(path) else _fetch(file, path, patience)
    else:
        raise DataError(f"{path} is missing and cannot be downloaded. Place it there.")
    _record(file, path, digest)
    return path


def verify(file: RegisteredFile, path: Path) -> str:
    """Return the SHA-256 of a file after comparing it with what is published.

    If no hash is published, the one that SHA256SUMS beside it recorded counts, if any.

    Raises: DataError if it is missing or not the registered file.
    """
    try:
        return _examine(file, path, path.parent)
    except FileNotFoundError:
        raise DataError(f"{path} is missing. Download it or place it there.") from None
    except _Spoilt as fault:
        advice = "Replace it by the right one, or remove it and run this again."
        if not _hash_is_published(file):
            advice += f" If the publisher has changed the file, also remove its line from {path.parent / SUMS}."
        raise DataError(f"{path} is not the registered file: {fault}.\n{advice}") from None


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


def _record(file: RegisteredFile, path: Path, digest: str) -> None:
    """List a verified file in SHA256SUMS, and say so if nothing but this list vouches for it from now on."""
    sums = path.with_name(SUMS)
    if recorded(path.parent).get(file.name) == digest:
        return
    with FileLock(path.with_name(f"{SUMS}.lock")):
        entries = recorded(path.parent) | {file.name: digest}
        write_text(sums, "".join(f"{entries[name]}  {name}\n" for name in sorted(entries)))
    if not _hash_is_published(file):
        _say(f"{path}: no hash is published; from now on the file has to have SHA-256 {digest}, recorded in {sums}")


def _hash_is_published(file: RegisteredFile) -> bool:
    return any((file.sha256, file.md5, file.git_blob))


def _alone(path: Path) -> AcquireReturnProxy:
    """Keep other processes from downloading the same file inside a `with` block; wait for one that does."""
    lock = FileLock(path.with_name(f"{path.name}.lock"))
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        _say(f"{path}: another process is downloading it; waiting")
        return lock.acquire()


def _fetch(file: RegisteredFile, path: Path, patience: Patience) -> str:
    """Put the file in place from the first mirror that has it; return its SHA-256.

    Raises: DataError with the reason of every mirror.
    """
    part, reasons = _Part(path), []
    with requests.Session() as session:
        for url in sorted(file.mirrors, key=lambda url: url != part.origin.url):  # first the one of the part
            try:
                if urlsplit(url).scheme == "file":
                    digest = _copy(file, url, path)
                    part.discard()
                else:
                    digest = _receive_verified(session, file, url, part, patience)
                    part.move_to(path)
                return digest
            except _Refused as refusal:
                reasons.append(f"  {url}: {refusal}")
    advice = f"Try again later, or get the file by other means and place it at {path}."
    if part.size:
        advice += f" The {part.size:,} bytes that came are kept in {part.path}; a new attempt goes on from there."
    raise DataError("\n".join([f"{path} could not be downloaded:", *reasons, advice]))


def _copy(file: RegisteredFile, url: str, path: Path) -> str:
    """Put a file of this machine in place; return its SHA-256."""
    address = urlsplit(url)
    if address.netloc not in ("", "localhost"):
        raise _Refused("expected file:///<absolute path>")
    source = Path(unquote(address.path))
    if not source.is_file() or not os.access(source, os.R_OK):
        raise _Refused("there is no file that can be read")
    with atomic(path) as temporary:
        shutil.copyfile(source, temporary)
        _flush_to_disk(temporary)
        return _examine(file, temporary, path.parent)


def _receive_verified(
    session: requests.Session, file: RegisteredFile, url: str, part: _Part, patience: Patience
) -> str:
    """Complete the part and return its SHA-256; once again from zero if it is wrong and was put together."""
    try:
        return _receive_once(session, file, url, part, patience)
    except _Spoilt as fault:
        if not part.resumed:
            raise
        _say(f"{url}: {fault}; the download had been interrupted, so it starts again")
    return _receive_once(session, file, url, part, patience)


def _receive_once(session: requests.Session, file: RegisteredFile, url: str, part: _Part, patience: Patience) -> str:
    try:
        _complete(session, file, url, part, patience)
        return _examine(file, part.path, part.path.parent)
    except _Spoilt:
        part.discard()
        raise


def _complete(session: requests.Session, file: RegisteredFile, url: str, part: _Part, patience: Patience) -> None:
    """Ask again and again until the part is whole."""
    furthest, failures = part.size if _is_usable(file, url, part) else 0, 0
    while True:
        started = time.monotonic()
        try:
            return _attempt(session, file, url, part, patience)
        except _Interrupted as interruption:
            seconds = time.monotonic() - started
            enough = patience.slowest * seconds if seconds >= patience.timeout else 0
            reached = part.size if part.origin.url == url else 0
            failures = 0 if reached - furthest > enough else failures + 1
            if failures == patience.attempts:
                raise _Refused(f"{interruption} (given up after {failures} attempts without progress)") from None
            furthest = max(furthest, reached)
            wait = patience.wait(failures, interruption.retry_after)
            _say(f"{url}: {interruption}; next attempt in {wait:.3g} s")
            time.sleep(wait)


def _is_usable(file: RegisteredFile, url: str, part: _Part) -> bool:
    """Tell whether a part may be gone on with: not an error page, nor what could become a mixture unnoticed."""
    same_version = part.origin.url == url and part.origin.validator is not None
    checkable = file.bytes is not None or _hash_is_published(file)
    return part.size > 0 and (same_version or checkable) and _page(file, part.path) is None


def _attempt(session: requests.Session, file: RegisteredFile, url: str, part: _Part, patience: Patience) -> None:
    """Bring the part as far as one answer goes, which is to its end."""
    part.resumed = _is_usable(file, url, part)
    if part.resumed and part.size == (file.bytes or part.origin.total):
        return
    response = _ask(session, url, part, patience)
    if response.status_code == 416 and _range(response) == (None, part.size):
        response.close()
        return
    if response.status_code != 200 and not _continues(response, file, url, part):
        response.close()
        part.resumed = False
        response = _ask(session, url, part, patience)
    with response:
        _receive(response, file, url, part, patience)


def _ask(session: requests.Session, url: str, part: _Part, patience: Patience) -> requests.Response:
    """Ask for the file, or for what the part lacks if it is resumed; only then may the answer be 206 or 416."""
    headers = {"Accept-Encoding": "identity"}
    if part.resumed:
        headers["Range"] = f"bytes={part.size}-"
        if part.origin.url == url and part.origin.validator:
            headers["If-Range"] = part.origin.validator
    try:
        response = session.get(url, headers=headers, stream=True, timeout=patience.timeout)
    except (requests.ConnectionError, requests.Timeout, ChunkedEncodingError) as error:
        raise _Interrupted(f"no answer ({_root(error)})") from None
    except requests.RequestException as error:
        raise _Refused(str(error)) from None
    if response.status_code == 200 or (part.resumed and response.status_code in (206, 416)):
        return response
    response.close()
    answer = f"the server answered {response.status_code} {response.reason}".rstrip()
    if response.status_code in RETRIED:
        raise _Interrupted(answer, _retry_after(response))
    raise _Refused(answer)


def _continues(response: requests.Response, file: RegisteredFile, url: str, part: _Part) -> bool:
    """Tell whether a partial answer begins where the part ends, and is of the same file."""
    start, total = _range(response)
    known = file.bytes or part.origin.total
    changed = part.origin.url == url and _validator(response) not in (None, part.origin.validator)
    right_place = response.status_code == 206 and start == part.size
    return right_place and (total is None or known is None or total == known) and not changed


def _receive(response: requests.Response, file: RegisteredFile, url: str, part: _Part, patience: Patience) -> None:
    """Append an answer to the part, or begin the part with it.

    Raises: _Interrupted if it ends too early, _Spoilt if it cannot be the registered file.
    """
    _refuse_encoded(response, file)
    total, validator = response.raw.length_remaining, _validator(response)
    if response.status_code == 200:  # also where a server knows no ranges, or the file has changed
        part.discard()
        part.resumed = False
    else:
        total = _range(response)[1] or (total and part.size + total)
        validator = validator or (part.origin.validator if part.origin.url == url else None)
    part.origin = _Origin(url, validator, total)
    size, expected = part.size, total or file.bytes
    response.raw.enforce_content_length = False  # compared below
    with part.path.open("ab") as target, _bar(file.name, expected, size) as bar:
        for chunk in _chunks(response, patience):
            target.write(chunk)
            target.flush()
            bar.update(len(chunk))
            size += len(chunk)
            if size - len(chunk) < HEAD <= size:
                _check_beginning(file, part, total)
            if file.bytes and size > file.bytes:
                _refuse_page(file, part.path)
                raise _Spoilt(f"expected {file.bytes:,} bytes, got more")
    if expected and size < expected:
        raise _Interrupted(f"the connection ended after {size:,} of {expected:,} bytes")


def _refuse_encoded(response: requests.Response, file: RegisteredFile) -> None:
    """Refuse compressed answers: they were not asked for. A .gz that is labelled as what it is passes."""
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding != "identity" and Path(file.name).suffix not in (".gz", ".tgz"):
        raise _Refused(f"the server sends it encoded ({encoding}) although this was not asked for")


def _check_beginning(file: RegisteredFile, part: _Part, total: int | None) -> None:
    """Stop a long download that cannot end well."""
    _refuse_page(file, part.path)
    if file.bytes and total and total != file.bytes:
        raise _Spoilt(f"expected {file.bytes:,} bytes, the server announces {total:,}")


def _chunks(response: requests.Response, patience: Patience) -> Iterator[bytes]:
    """Yield the bytes as they come and as they were sent, never decoded."""
    since, received = time.monotonic(), 0
    while True:
        try:
            chunk = response.raw.read1(CHUNK, decode_content=False)
        except (HTTPError, OSError) as error:
            raise _Interrupted(f"the connection broke ({_root(error)})") from None
        if not chunk:
            return
        yield chunk
        received += len(chunk)
        seconds = time.monotonic() - since
        if seconds >= patience.timeout:
            if received < patience.slowest * seconds:
                raise _Interrupted(f"the server has become too slow ({received / seconds:,.0f} bytes per second)")
            since, received = time.monotonic(), 0


def _validator(response: requests.Response) -> str | None:
    """Return what identifies this version of the file: a strong ETag, else its date."""
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified")


def _range(response: requests.Response) -> tuple[int | None, int | None]:
    """Return first byte and total of a Content-Range, None for what it does not say."""
    match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(?:(\d+)|\*)", response.headers.get("Content-Range", ""))
    start, total = match.groups() if match else (None, None)
    return int(start) if start else None, int(total) if total else None


def _retry_after(response: requests.Response) -> float:
    """Return the seconds a server asks to wait, 0 if it does not or not readably."""
    value = response.headers.get("Retry-After", "0")
    if value.isdecimal():
        return float(value)
    try:
        return (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return 0.0


def _root(error: BaseException) -> str:
    """Return what an error that was wrapped several times says at its root."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return str(error) or type(error).__name__


def _examine(file: RegisteredFile, path: Path, folder: Path) -> str:
    """Return the SHA-256 of a file, after comparing it with what is known of the registered one.

    Raises: _Spoilt saying what differs.
    """
    _refuse_page(file, path)
    size = path.stat().st_size
    if size != (file.bytes or size) or size == 0:
        raise _Spoilt(f"expected {f'{file.bytes:,}' if file.bytes else 'some'} bytes, got {size:,}")
    expected = {"sha256": file.sha256, "md5": file.md5, "git_blob": file.git_blob}
    if not _hash_is_published(file):
        expected["sha256"] = recorded(folder).get(file.name)
    digests = _hash(path, {"sha256"} | {kind for kind, digest in expected.items() if digest})
    for kind, digest in expected.items():
        if digest and not digests[kind].startswith(digest):
            source = "" if _hash_is_published(file) else f" (recorded in {folder / SUMS})"
            raise _Spoilt(f"expected {kind} {digest}{source}, got {digests[kind]}")
    return digests["sha256"]


def _hash(path: Path, kinds: set[str]) -> dict[str, str]:
    """Return hashes of several kinds from one pass over the bytes."""
    size = path.stat().st_size
    digests = {kind: hashlib.new("sha1" if kind == "git_blob" else kind, usedforsecurity=False) for kind in kinds}
    if "git_blob" in digests:
        digests["git_blob"].update(f"blob {size}\0".encode())
    with path.open("rb") as file, _bar(f"verify {path.name}", size, 0, hidden=size <= LARGE) as bar:
        while chunk := file.read(CHUNK):
            for digest in digests.values():
                digest.update(chunk)
            bar.update(len(chunk))
    return {kind: digest.hexdigest() for kind, digest in digests.items()}


def _refuse_page(file: RegisteredFile, path: Path) -> None:
    if page := _page(file, path):
        raise _Spoilt(f"got {page} instead of the file")


def _page(file: RegisteredFile, path: Path) -> str | None:
    """Describe the error document that `path` is; None if it looks like a file of the registered name."""
    with path.open("rb") as stream:
        head = stream.read(HEAD)
    if b"\0" in head:
        return None
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for what, beginning, names in PAGES:
        if beginning.match(start):
            return f"{what} {_quote(start)}" if Path(file.name).suffix.lower() not in names else None
    return None


def _quote(document: bytes) -> str:
    text = document.decode("utf-8", errors="replace")
    title = re.search(r"<title[^>]*>(.*?)</title>", text, re.S | re.I)
    words = " ".join(html.unescape(title[1] if title else text).split())
    return f"{'titled' if title else 'that begins'} {words[:100]!r}"


def _bar(name: str, total: int | None, done: int, *, hidden: bool = False) -> tqdm:
    """Return a progress bar; in a log file it says every half a minute that the work goes on."""
    seconds = 0.1 if sys.stderr.isatty() else 30.0
    return tqdm(
        desc=name, total=total, initial=done, unit="B", unit_scale=True, disable=hidden,
        mininterval=seconds, maxinterval=max(seconds, 10.0),
    )  # fmt: skip


def _flush_to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
