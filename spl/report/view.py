"""Parts of the page: sections of prose, tables, figures and folded text."""

import base64
from typing import NamedTuple

from markupsafe import Markup

from spl.common.printed import Table


class Figure(NamedTuple):
    """An embedded image with a caption."""

    title: str
    source: str
    """A data URI."""
    caption: str
    kind: str = "figure"


class Prose(NamedTuple):
    """A paragraph; `look` is a CSS class."""

    text: str
    look: str = ""
    kind: str = "prose"


class Folded(NamedTuple):
    """Long text that opens on a click: as it is, or as HTML if it is Markup."""

    title: str
    text: str | Markup
    kind: str = "folded"


Part = Table | Figure | Prose | Folded


class Section(NamedTuple):
    """A part of the page with an entry in its table of contents."""

    anchor: str
    title: str
    parts: tuple[Part, ...]


def embed(content: bytes, kind: str) -> str:
    """Return an image as a data URI; `kind` is `png` or `svg+xml`."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
