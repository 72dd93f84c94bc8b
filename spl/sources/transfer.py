"""HTTP transfer of a file: repeated after faults, resumed where a validator or a hash guards against mixed versions."""

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import requests
from requests.adapters import HTTPAdapter
from tqdm import tqdm
from urllib3 import Retry
from urllib3.exceptions import HTTPError

from spl.common.files import write_json
from spl.config.registry import RegisteredFile, without_secrets
from spl.sources.verify import CHUNK, MirrorUnusable, WrongContent

RETRIED = (429, 500, 502, 503, 504)
"""Status codes of a server that may do better a little later."""


@dataclass(frozen=True)
class RetryPolicy:
    """Limits of waiting for a server, which is left after `attempts` in a row with little new data."""

    timeout: float = 60.0
    """Seconds without a byte, and for connecting."""
    attempts: int = 5
    backoff: float = 1.0
    """Base of the exponential pauses, in seconds."""
    longest_pause: float = 60.0
    """Seconds, also if the server asks for more."""
    slowest: float = 1000.0
    """Bytes per second, on average over `timeout`; a slower server counts as stalled."""
    largest: int = 64 << 30
    """Bytes of a file of which no hash is published."""

    def check_size(self, file: RegisteredFile, size: int) -> None:
        """Raise WrongContent if a file is too large for one that could be anything."""
        if size > self.largest and not file.hashes:
            raise WrongContent(f"it has more than {self.largest:,} bytes, and no hash is published that tells its end")

    def session(self) -> requests.Session:
        """Return an HTTP session that repeats requests which get no answer, or one of `RETRIED`."""
        retry = Retry(
            self.attempts - 1, status_forcelist=RETRIED, raise_on_status=False, backoff_factor=self.backoff,
            backoff_max=self.longest_pause, respect_retry_after_header=True,
            retry_after_max=self.longest_pause,  # pyright: ignore[reportArgumentType] (any number will do)
        )  # fmt: skip
        session = requests.Session()
        session.mount("http://", HTTPAdapter(max_retries=retry))
        session.mount("https://", HTTPAdapter(max_retries=retry))
        return session


class _Interrupted(Exception):
    """This attempt failed; the next may go on from here."""


class Origin(NamedTuple):
    """The address that bytes came from, and what identifies their version: a strong ETag or a date."""

    url: str = ""
    validator: str | None = None


class Part:
    """A partial download beside its final path; a later process goes on with it."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(f"{path.name}.part")
        self._note = path.with_name(f"{path.name}.part.json")
        self.resumed = False
        """Whether it was put together from several answers."""

    @property
    def size(self) -> int:
        """Bytes that have come."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def origin(self) -> Origin:
        """The noted origin of the bytes; an empty one if there is no note that can be read."""
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
            return Origin(note["url"], note["validator"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return Origin()

    def begin(self, origin: Origin) -> None:
        """Delete the bytes; those to come are from `origin`."""
        self.discard()
        write_json(self._note, origin._asdict())

    def discard(self) -> None:
        """Delete the bytes."""
        # In this order: a note without bytes is harmless, bytes with a later note would be mixed with others.
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def move_to(self, path: Path) -> None:
        """Put the bytes, safely on disk, in their final place."""
        with self.path.open("r+b") as file:  # Windows flushes no file that is read only
            os.fsync(file.fileno())
        os.replace(self.path, path)
        self._note.unlink(missing_ok=True)


def complete(file: RegisteredFile, url: str, part: Part, policy: RetryPolicy) -> None:
    """Ask again and again until the part is whole.

    Raises: MirrorUnusable if the server refuses or has brought nothing new for too long.
    """
    furthest, failures = part.size if part.origin.url == url else 0, 0
    with policy.session() as session:
        while True:
            try:
                return _attempt(session, file, url, part, policy)
            except _Interrupted as interruption:
                reached = part.size if part.origin.url == url else 0
                failures = 0 if reached - furthest > policy.slowest * policy.timeout else failures + 1
                if failures == policy.attempts:
                    raise MirrorUnusable(f"{interruption}, given up after {failures} attempts") from None
                furthest = max(furthest, reached)
                pause = min(policy.backoff * 2 ** max(failures - 1, 0), policy.longest_pause)
                tqdm.write(f"{without_secrets(url)}: {interruption}; next attempt in {pause:.3g} s", file=sys.stderr)
                time.sleep(pause)


def _attempt(session: requests.Session, file: RegisteredFile, url: str, part: Part, policy: RetryPolicy) -> None:
    """Make one request and append its bytes.

    The part is resumed if it came from this address and a validator or a hash can reveal a changed file.
    """
    origin, size = part.origin, part.size
    part.resumed = size > 0 and origin.url == url and bool(origin.validator or file.hashes)
    headers = {"Accept-Encoding": "identity"}
    if part.resumed:
        headers |= {"Range": f"bytes={size}-"} | ({"If-Range": origin.validator} if origin.validator else {})
    with _ask(session, url, headers, policy) as response:
        hops = [hop.url for hop in (*response.history, response)]
        if url.startswith("https:") and not file.hashes and any(hop.startswith("http:") for hop in hops):
            raise MirrorUnusable("the server leads from https to http, and no hash is published to compare with")
        encoding = response.headers.get("Content-Encoding", "identity")
        if encoding != "identity" and not file.name.endswith((".gz", ".tgz")):  # servers may label gzip files so
            raise MirrorUnusable(f"the server sends it encoded ({encoding}) although this was not asked for")
        start, total = _content_range(response)
        if response.status_code == 416 and total == size:
            return
        validator = _validator(response)
        if response.status_code == 200:  # also where a server knows no ranges, or the file has changed
            part.begin(Origin(url, validator))
            part.resumed = False
        elif start != size or (origin.validator and validator not in (None, origin.validator)):
            part.discard()
            raise _Interrupted("the server sent something else than the missing bytes")
        _append(response, part, total, file, policy)


def _ask(session: requests.Session, url: str, headers: dict[str, str], policy: RetryPolicy) -> requests.Response:
    """Return the beginning of an answer that can be used: 200, or 206 or 416 if a range was asked for."""
    given_up = f", given up after {policy.attempts} attempts"
    try:
        response = session.get(url, headers=headers, stream=True, timeout=policy.timeout)
    except (requests.ConnectionError, requests.Timeout) as error:
        raise MirrorUnusable(f"no answer ({_root(error)}){given_up}") from None
    except requests.RequestException as error:
        raise MirrorUnusable(without_secrets(str(error))) from None
    code = response.status_code
    if code == 200 or ("Range" in headers and code in (206, 416)):
        return response
    response.close()
    raise MirrorUnusable(f"the server answered {code} {response.reason}{given_up if code in RETRIED else ''}")


def _append(
    response: requests.Response, part: Part, total: int | None, file: RegisteredFile, policy: RetryPolicy
) -> None:
    size, seconds = part.size, 0.1 if sys.stderr.isatty() else 30.0  # in a log, a line every half a minute
    if total is None and response.raw.length_remaining:
        total = size + response.raw.length_remaining
    bar = tqdm(
        desc=part.path.stem, initial=size, total=total, unit="B", unit_scale=True,
        mininterval=seconds, maxinterval=max(seconds, 10.0),
    )  # fmt: skip
    with part.path.open("ab") as target, bar:
        for chunk in _chunks(response, policy):
            policy.check_size(file, max(total or 0, target.tell() + len(chunk)))
            target.write(chunk)
            target.flush()
            bar.update(len(chunk))
    if total and part.size < total:
        raise _Interrupted(f"the answer ended after {part.size:,} of {total:,} bytes")


def _chunks(response: requests.Response, policy: RetryPolicy) -> Iterator[bytes]:
    """Yield the bytes as they come and as they were sent, never decoded."""
    since, received = time.monotonic(), 0
    try:
        while chunk := response.raw.read1(CHUNK, decode_content=False):
            yield chunk
            received += len(chunk)
            seconds = time.monotonic() - since
            if seconds >= policy.timeout:
                if received < policy.slowest * seconds:
                    raise _Interrupted(f"the server has become too slow ({received / seconds:,.0f} bytes per second)")
                since, received = time.monotonic(), 0
    except (HTTPError, OSError) as error:
        raise _Interrupted(f"the connection broke ({_root(error)})") from None


def _validator(response: requests.Response) -> str | None:
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified")


def _content_range(response: requests.Response) -> tuple[int | None, int | None]:
    """Return first byte and total of a Content-Range, None for what it does not say."""
    match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(?:(\d+)|\*)", response.headers.get("Content-Range", ""))
    start, total = match.groups() if match else (None, None)
    return int(start) if start else None, int(total) if total else None


def _root(error: BaseException) -> str:
    """Return what an error that was wrapped several times says at its root."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return without_secrets(str(error)) or type(error).__name__
