"""The server of the page: what it answers to a browser on this machine, and to nobody else."""

import asyncio
import json
import re
import traceback
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.resources import files
from io import BytesIO
from mimetypes import guess_type
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

import numpy as np
from PIL import Image
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spl.common.errors import SPLError
from spl.miniature.images import generator
from spl.miniature.scenes import draw_scene
from spl.web.fills import Choice
from spl.web.sessions import Session, Sessions

T = TypeVar("T")
Job = Future[list[str]]
"""A fill that waits, is running, or is done."""

FILLS_AT_ONCE, FILES_AT_ONCE = 2, 2
"""Threads that fill, and those that read images; as many as these, so that each keeps its own part of the memory."""

PAGE = {"/": "index.html", "/page.css": "page.css", "/page.js": "page.js"}

LOCAL = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")
"""Hosts under which a browser on this machine, or at the other end of `ssh -L`, finds the page."""

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Limits(NamedTuple):
    """What an image may have at most."""

    max_bytes: int
    max_pixels: int


class Guard:
    """Answers only to the page itself: not to another site's name for this machine, nor to another site's page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, with the headers that all answers have."""

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        app = self._app
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            host, origin = headers.get("host", ""), headers.get("origin")
            if not LOCAL.fullmatch(host) or origin not in (None, f"http://{host}"):
                app = JSONResponse({"error": "This server answers to its own page only."}, 403)
        await app(scope, receive, send_guarded)


class Server:
    """What the routes do."""

    def __init__(self, choices: Mapping[str, Choice], sessions: Sessions, limits: Limits) -> None:
        self._choices, self._sessions, self._limits = choices, sessions, limits
        self._fills, self._files = ThreadPoolExecutor(FILLS_AT_ONCE), ThreadPoolExecutor(FILES_AT_ONCE)
        self._jobs = list[Job]()

    async def list_fills(self, request: Request) -> Response:
        """Tell what the page may offer."""
        fills = {name: choice._asdict() for name, choice in self._choices.items()}
        return JSONResponse({"fills": fills, **self._limits._asdict()})

    async def open_image(self, request: Request) -> Response:
        """Take an image, which is the body."""
        with self._sessions.new(_file_name(request)) as (key, session):
            await self._receive(request, session.file(0))
            await self._in_thread(session.accept, self._limits.max_pixels)
        return JSONResponse({"key": key, "name": session.name, "size": session.size}, 201)

    async def open_example(self, request: Request) -> Response:
        """Draw the example."""
        with self._sessions.new("example.png") as (key, session):
            await self._in_thread(_draw_example, session.file(0))
            await self._in_thread(session.accept, self._limits.max_pixels)
        return JSONResponse({"key": key, "name": session.name, "size": session.size}, 201)

    async def read_mask(self, request: Request) -> Response:
        """Check a mask, which is the body, and return it for the page: white in the hole, transparent elsewhere."""
        session = self._session(request)
        file = session.folder / "mask.sent"
        await self._receive(request, file)
        hole = await self._in_thread(session.read_mask, file, _file_name(request))
        return Response(await self._in_thread(_encode_hole, hole), media_type="image/png")

    async def fill(self, request: Request) -> Response:
        """Fill an image by a mask, which is the body; tell in lines of JSON how far it is."""
        session, query = self._session(request), request.query_params
        choice, step, grow = self._choices.get(query.get("fill", "")), _number(query, "step"), _number(query, "grow")
        if choice is None or choice.missing:
            raise HTTPException(422, "This fill is not there.")
        if not session.file(step).is_file():
            raise HTTPException(404, "This result is no longer kept. Go on from a later one.")
        if session.busy:
            raise HTTPException(409, "This image is being filled already.")
        session.busy = True
        try:
            mask = session.folder / "The mask"
            await self._receive(request, mask)
            job = self._fills.submit(session.fill, step, mask, choice.source, grow)
            earlier = [other for other in self._jobs if not other.done()]
            self._jobs = [*earlier, job]
        except BaseException:
            session.release()
            raise
        job.add_done_callback(lambda _: session.release())
        return StreamingResponse(_tell(job, earlier, session), media_type="application/x-ndjson")

    async def show(self, request: Request) -> Response:
        """Return the preview of an image or a result."""
        return self._existing(self._session(request).preview(request.path_params["step"]))

    async def download(self, request: Request) -> Response:
        """Return a result in full."""
        session, step = self._session(request), request.path_params["step"]
        response = self._existing(session.file(step))
        name = quote(f"{Path(session.name).stem}-filled.png")
        response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}"
        return response

    async def close(self, request: Request) -> Response:
        """Forget an image."""
        self._sessions.close(request.path_params["key"])
        return Response(status_code=204)

    def _session(self, request: Request) -> Session:
        if session := self._sessions.find(request.path_params["key"]):
            return session
        raise HTTPException(404, "This image is no longer here: it was not used for long. Open it again.")

    def _existing(self, file: Path) -> FileResponse:
        if not file.is_file():
            raise HTTPException(404, "This result is no longer kept.")
        return FileResponse(file, media_type="image/png")

    async def _receive(self, request: Request, file: Path) -> None:
        """Write a body to a file; stop where it is too large."""
        limit = self._limits.max_bytes
        too_large = HTTPException(413, f"The file is too large: at most {limit / 1e6:,.4g} MB are taken.")
        if int(request.headers.get("content-length", 0)) > limit:
            raise too_large
        with file.open("wb") as received:
            async for chunk in request.stream():
                if received.tell() + len(chunk) > limit:
                    raise too_large
                received.write(chunk)

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._files, work, *arguments)


def build_app(choices: Mapping[str, Choice], sessions: Sessions, limits: Limits) -> Starlette:
    """Return the application; it forgets idle images as long as it runs."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async def forget() -> None:
            while True:
                await asyncio.sleep(60)
                sessions.forget_idle()

        task = asyncio.create_task(forget())
        yield
        task.cancel()

    server = Server(choices, sessions, limits)
    return Starlette(
        routes=[
            *(Route(path, _page(name)) for path, name in PAGE.items()),
            Route("/fills", server.list_fills),
            Route("/images", server.open_image, methods=["POST"]),
            Route("/example", server.open_example, methods=["POST"]),
            Route("/images/{key}/mask", server.read_mask, methods=["POST"]),
            Route("/images/{key}/fill", server.fill, methods=["POST"]),
            Route("/images/{key}/close", server.close, methods=["POST"]),
            Route("/images/{key}/{step:int}", server.show),
            Route("/images/{key}/{step:int}/file", server.download),
        ],
        middleware=[Middleware(Guard)],
        exception_handlers={HTTPException: _refuse, SPLError: _refuse, OSError: _refuse},
        lifespan=lifespan,
    )


def _page(name: str) -> Callable[[Request], Response]:
    content = (files("spl.web") / "page" / name).read_bytes()
    return lambda _: Response(content, media_type=guess_type(name)[0])


async def _tell(job: Job, earlier: Sequence[Job], session: Session) -> AsyncIterator[str]:
    """Yield a line twice a second until a fill is done, then its result; give it up if nobody listens any more."""
    waited = asyncio.wrap_future(job)
    try:
        while not waited.done():
            yield _line(ahead=0 if job.running() else sum(not other.done() for other in earlier))
            await asyncio.wait([waited], timeout=0.5)
        yield _line(step=session.results, notes=[_ended(note[:1].upper() + note[1:]) for note in waited.result()])
    except (
        Exception
    ) as error:  # the answer has begun, so the page is told here, and of a fault of ours the terminal, too
        if not isinstance(error, (SPLError, OSError, ModuleNotFoundError)):
            traceback.print_exception(error)
        yield _line(error=_explain(error))
    finally:
        waited.cancel()


async def _refuse(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 422 if isinstance(error, SPLError) else 500
    return JSONResponse({"error": _explain(error)}, status)


def _explain(error: Exception) -> str:
    """Say what went wrong in sentences for the page."""
    if isinstance(error, ModuleNotFoundError):
        return f"This fill needs {error.name}, which is not installed."
    told = getattr(error, "detail", None) or getattr(error, "strerror", None) or str(error) or type(error).__name__
    return _ended(told)


def _ended(text: str) -> str:
    return text if text.endswith((".", "?")) else f"{text}."


def _line(**values: Any) -> str:
    return json.dumps(values) + "\n"


def _file_name(request: Request) -> str:
    return Path(request.query_params.get("name", "")).name[:100] or "image"


def _number(query: Mapping[str, str], name: str) -> int:
    if not re.fullmatch(r"\d{1,4}", value := query.get(name, "0")):
        raise HTTPException(422, f"Expected a number for {name}, got {value[:20]}.")
    return int(value)


def _encode_hole(hole: np.ndarray) -> bytes:
    """Return a hole (H, W) bool as PNG: white, transparent elsewhere."""
    values, buffer = np.full((*hole.shape, 2), 255, np.uint8), BytesIO()
    values[..., 1] = hole * np.uint8(255)
    Image.fromarray(values, "LA").save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _draw_example(file: Path) -> None:
    """Draw a harbour of the miniature world."""
    draw_scene(generator("places2", seed=1, split="test", index=2), 2, enlarged=6).image.save(file, "PNG")
