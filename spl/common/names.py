"""What the name of a file says: an image, a service file of some system, a path in a source."""

import unicodedata
from os.path import splitext

from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
"""Formats that are read, by Pillow's names; a camera's MPO is opened as JPEG."""

SUFFIXES = frozenset(ending for ending, kind in Image.registered_extensions().items() if kind in FORMATS)
"""Endings of such files, in lower case."""

SERVICE_FOLDERS = ("__MACOSX", "@eaDir", "@Recycle", "#recycle", "$RECYCLE.BIN", "System Volume Information")
"""Folders in which systems and storage servers keep previews and deleted files."""


def is_image(name: str) -> bool:
    """Tell by its ending whether a file is an image."""
    return splitext(name)[1].lower() in SUFFIXES


def is_hidden(path: str) -> bool:
    """Tell whether a file or a folder above it is hidden, or of some system's service.

    >>> [is_hidden(path) for path in ("a/b.jpg", ".a/b.jpg", "@eaDir/a.jpg", "a/._b.jpg")]
    [False, True, True, True]
    """
    return any(part in SERVICE_FOLDERS or (part[:1] == "." and part not in (".", "..")) for part in path.split("/"))


def plain_path(path: str) -> str:
    r"""Return a path in one way of writing: `/` between names, no `./`, composed letters (NFC).

    >>> plain_path("./pics\\a.jpg")
    'pics/a.jpg'
    """
    parts = unicodedata.normalize("NFC", path.replace("\\", "/")).split("/")
    return "/".join(part for i, part in enumerate(parts) if part != "." and (part or i == 0))
