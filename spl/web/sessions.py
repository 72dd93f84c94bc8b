"""Images that are being filled: each has an unguessable name and a folder of its own, and goes away at last."""

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from spl.common.errors import DataError
from spl.data.images import load_image, read_file
from spl.data.masks import decode_mask
from spl.data.metadata import kept_metadata
from spl.filling.files import fill_image, fit_hole
from spl.web.fills import load_fill

IDLE_SECONDS = 4 * 3600
"""After so long without a request an image is forgotten."""

MOST_SESSIONS = 32
"""Of more images the one that has been idle longest is forgotten."""

KEPT_RESULTS = 20
"""Of more results of an image the first are forgotten."""

PREVIEW_SIDE = 2048
"""Longest side of what the page shows, in pixels."""


@dataclass(eq=False)
class Session:
    """An image as it was sent, its results, and a preview of each; 0 is the image, 1 the first result."""

    folder: Path
    name: str
    """Of the file, to be shown only."""
    size: tuple[int, int] = (0, 0)
    """Width and height, upright."""
    stored_size: tuple[int, int] = (0, 0)
    results: int = 0
    busy: bool = False
    closed: bool = False
    used: float = field(default_factory=time.monotonic)

    def file(self, step: int) -> Path:
        """Return where an image lies."""
        return self.folder / (f"{step}.png" if step else "image")

    def preview(self, step: int) -> Path:
        """Return where its preview lies: upright, 8 bits, PNG."""
        return self.folder / f"{step}.preview.png"

    def accept(self, max_pixels: int) -> None:
        """Check the image that was sent, and write its preview.

        Raises: DataError, which names the file as its owner does.
        """
        image = load_image(read_file(self.file(0)), self.name, max_pixels=max_pixels)
        self.size, self.stored_size = image.size, image.info["stored"].size
        _write_preview(image, self.preview(0))

    def read_mask(self, file: Path, name: str) -> np.ndarray:
        """Read a mask that was sent, white = hole, and bring it to the image's size: (H, W) bool.

        Raises: DataError if it is no mask, or of another aspect ratio.
        """
        width, height = self.size
        hole = decode_mask(read_file(file), name, "white")
        return fit_hole(hole, (height, width), self.stored_size, name, self.name)[0]

    def fill(self, step: int, mask: Path, source: str, grow: int) -> list[str]:
        """Fill the hole of an image as the next result; return what its file could not keep, and advice.

        Raises: SPLError as `load_fill` and `fill_image` do, without the names of folders here.
        """
        result = self.results + 1
        try:
            changes, advice = fill_image(
                load_fill(source), self.file(step), mask, self.file(result), hole="white", grow=grow
            )
        except DataError as error:
            raise DataError(str(error).replace(f"{self.folder}{os.sep}", "")) from None
        _write_preview(load_image(read_file(self.file(result)), self.name), self.preview(result))
        if (old := result - KEPT_RESULTS) > 0:
            self.file(old).unlink()
            self.preview(old).unlink()
        self.results = result
        return changes + advice

    def release(self) -> None:
        """End a fill; an image that was closed meanwhile goes away now."""
        self.busy = False
        if self.closed:
            shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """Forget the image, at once or after its fill."""
        self.closed = True
        if not self.busy:
            shutil.rmtree(self.folder, ignore_errors=True)


class Sessions:
    """All images that are being filled, in a temporary folder that only this user may read."""

    def __init__(self, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="spl-web-"))
        self._idle_seconds = idle_seconds
        self._open = dict[str, Session]()

    @contextmanager
    def new(self, name: str) -> Iterator[tuple[str, Session]]:
        """Yield an image's key and its empty session, which is kept if the block ends well."""
        key = secrets.token_urlsafe(24)
        session = Session(Path(tempfile.mkdtemp(dir=self.root)), name)
        try:
            yield key, session
        except BaseException:
            session.close()
            raise
        self._open[key] = session
        self.forget_idle()

    def find(self, key: str) -> Session | None:
        """Return the session of a key."""
        if session := self._open.get(key):
            session.used = time.monotonic()
        return session

    def close(self, key: str) -> None:
        """Forget an image."""
        if session := self._open.pop(key, None):
            session.close()

    def forget_idle(self) -> None:
        """Forget the images that nobody has used for long, and those that are too many."""
        idle = sorted((key for key in self._open if not self._open[key].busy), key=lambda key: self._open[key].used)
        for key in idle:
            age = time.monotonic() - self._open[key].used
            if age > self._idle_seconds or len(self._open) > MOST_SESSIONS:
                self.close(key)

    def close_all(self) -> None:
        """Forget all images and remove the folder, also while a fill is running."""
        while self.root.exists():  # which may write its result meanwhile
            shutil.rmtree(self.root, ignore_errors=True)


def _write_preview(image: Image.Image, file: Path) -> None:
    """Write an upright image for a browser: at most `PREVIEW_SIDE` long, 8 bits, its colours as its profile says."""
    image = image.convert("L") if image.mode == "1" else image
    profile = kept_metadata(image, "L" if image.mode == "L" else "RGB", "PNG")[0].get("icc_profile")
    shown = image.copy()
    shown.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0)
    shown.save(file, "PNG", compress_level=1, icc_profile=profile)
