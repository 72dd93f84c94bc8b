"""A web server on this machine that can be told to misbehave, for tests of downloads.

    with Server(folder) as server:
        server.misbehave("faces.zip", drop(1000), status(503), page())
        ...  # three requests for server.url("faces.zip") go wrong as listed, later ones are answered well
        assert server.requests[1].range == "bytes=1000-"

Each misbehaviour changes the good answer before it is sent; several in one list change the same answer.
"""

import hashlib
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import quote, unquote, urlsplit


@dataclass(frozen=True)
class Request:
    """What a client asked for: its path below the folder, the first line's address, and its headers."""

    path: str
    target: str
    headers: dict[str, str]

    @property
    def range(self) -> str | None:
        return self.headers.get("range")

    @property
    def if_range(self) -> str | None:
        return self.headers.get("if-range")


@dataclass
class Answer:
    """What is sent; `sent` bytes of the body, by default all, and then `ending`."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    sent: int | None = None
    ending: str = "well"  # or close, reset, stall
    pause: float = 0.0  # seconds before every byte; 0: all at once


Misbehaviour = Callable[["Server", Request, Answer], Answer]


def drop(after: int) -> Misbehaviour:
    """Close the connection after so many bytes of the body."""
    return lambda server, request, answer: replace(answer, sent=after, ending="close")


def reset(after: int) -> Misbehaviour:
    """Break the connection (RST) after so many bytes, of which not all need to arrive."""
    return lambda server, request, answer: replace(answer, sent=after, ending="reset")


def stall(after: int) -> Misbehaviour:
    """Send so many bytes, then nothing until the server closes."""
    return lambda server, request, answer: replace(answer, sent=after, ending="stall")


def drip(pause: float) -> Misbehaviour:
    """Send a byte at a time, with so many seconds before each."""
    return lambda server, request, answer: replace(answer, pause=pause)


def cut(size: int) -> Misbehaviour:
    """Send a file that ends too early, and announce just that size."""
    return lambda server, request, answer: replace(answer, body=answer.body[:size])


def header(name: str, value: str) -> Misbehaviour:
    """Set a header."""
    return lambda server, request, answer: replace(answer, headers=answer.headers | {name: value})


def without(*names: str) -> Misbehaviour:
    """Leave out headers, such as ETag and Last-Modified."""
    return lambda server, request, answer: replace(
        answer, headers={name: value for name, value in answer.headers.items() if name not in names}
    )


def announce(difference: int) -> Misbehaviour:
    """Announce so many bytes more (or fewer) than are sent, and close the connection at the end."""
    return lambda server, request, answer: replace(
        answer, headers=answer.headers | {"Content-Length": str(len(answer.body) + difference)}, ending="close"
    )


def chunked() -> Misbehaviour:
    """Announce no length at all."""

    def act(server: "Server", request: Request, answer: Answer) -> Answer:
        body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in _pieces(answer.body)) + b"0\r\n\r\n"
        return replace(answer, body=body, headers=answer.headers | {"Transfer-Encoding": "chunked"})

    return act


def _pieces(body: bytes, size: int = 1000) -> list[bytes]:
    return [body[start : start + size] for start in range(0, len(body), size)]


def whole() -> Misbehaviour:
    """Ignore the range."""
    return lambda server, request, answer: server.good_answer(request.path, {})


def ignore_if_range() -> Misbehaviour:
    """Send the range although the file has changed."""
    return lambda server, request, answer: server.good_answer(request.path, {"range": request.range or ""})


def from_byte(start: int) -> Misbehaviour:
    """Send another range than the one asked for."""
    return lambda server, request, answer: server.good_answer(request.path, {"range": f"bytes={start}-"})


def document(body: bytes, kind: str) -> Misbehaviour:
    """Send this instead of the file, with status 200."""
    return lambda server, request, answer: Answer(200, body, {"Content-Type": kind})


def page(title: str = "Google Drive - Quota exceeded") -> Misbehaviour:
    """Send a page that says something, with status 200."""
    text = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body>Sorry.</body></html>\n"
    return document(text.encode(), "text/html")


def status(code: int, retry_after: str | None = None) -> Misbehaviour:
    """Answer with an error."""
    return lambda server, request, answer: Answer(code, b"no", {"Retry-After": retry_after} if retry_after else {})


def redirect(url: str) -> Misbehaviour:
    """Send the client elsewhere."""
    return lambda server, request, answer: Answer(302, b"", {"Location": url})


def change(content: bytes) -> Misbehaviour:
    """Replace the file for good; then answer well."""

    def act(server: "Server", request: Request, answer: Answer) -> Answer:
        (server.folder / request.path).write_bytes(content)
        return server.good_answer(request.path, request.headers)

    return act


class Server:
    """Serves the files of a folder, by ranges too, each with an ETag of its content and a date."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests: list[Request] = []
        self.closing = threading.Event()
        self._misbehaviours: dict[str, list[Sequence[Misbehaviour]]] = {}
        self._lock = threading.Lock()
        self._http = _Listener(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def url(self, path: str) -> str:
        return f"{self.address}/{quote(path)}"

    def misbehave(self, path: str, *each: Misbehaviour | Sequence[Misbehaviour]) -> None:
        """Spoil the next answers for a path, in this order; an empty list leaves one as it is."""
        spoilt = [[one] if callable(one) else one for one in each]
        self._misbehaviours.setdefault(path, []).extend(spoilt)

    def asked(self, path: str) -> list[Request]:
        """Return the requests for a path so far."""
        return [request for request in self.requests if request.path == path]

    def answer(self, request: Request) -> Answer:
        with self._lock:
            self.requests.append(request)
            waiting = self._misbehaviours.get(request.path)
            misbehaviours = waiting.pop(0) if waiting else []
        answer = self.good_answer(request.path, request.headers)
        for misbehave in misbehaviours:
            answer = misbehave(self, request, answer)
        return answer

    def good_answer(self, path: str, headers: dict[str, str]) -> Answer:
        """Return what an honest server says."""
        file = self.folder / path
        if not file.is_file() or not file.resolve().is_relative_to(self.folder.resolve()):
            return Answer(404, b"no such file")
        content = file.read_bytes()
        etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        validators = {"ETag": etag, "Last-Modified": formatdate(file.stat().st_mtime, usegmt=True)}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", headers.get("range", ""))
        if not asked or headers.get("if-range", etag) not in validators.values():
            return Answer(200, content, {"Accept-Ranges": "bytes", **validators})
        first = int(asked[1])
        last = min(int(asked[2] or len(content)), len(content) - 1)
        if first > last:
            return Answer(416, b"", {"Content-Range": f"bytes */{len(content)}"})
        span = f"bytes {first}-{last}/{len(content)}"
        return Answer(206, content[first : last + 1], {"Content-Range": span, **validators})


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing about clients that go away."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # pyright: ignore[reportArgumentType]


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path).lstrip("/")
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = server.answer(Request(path, self.path, headers))
            with suppress(ConnectionError):
                self._send(answer)

        def _send(self, answer: Answer) -> None:
            self.send_response(answer.status)
            if "Transfer-Encoding" not in answer.headers:
                answer.headers.setdefault("Content-Length", str(len(answer.body)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            body = answer.body[: answer.sent]
            for piece in _pieces(body, 1) if answer.pause else [body]:
                if server.closing.wait(answer.pause) if answer.pause else False:
                    break
                self.wfile.write(piece)
            if answer.ending != "well":
                self._break(answer.ending)

        def _break(self, ending: str) -> None:
            self.close_connection = True
            if ending == "stall":
                server.closing.wait()
            if ending == "reset":
                time.sleep(0.01)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
