"""The registry of sources: where each archive and weight file can be had, how it is known, and whose it is."""

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, TypeAdapter

from spl.config.base import Name, Positive, Strict
from spl.config.document import read_document

SOURCES = Path(__file__).with_name("sources.yaml")
"""The registry that comes with the package."""


Folder = Annotated[str, Field(pattern=r"^data(/[^./\\][^/\\]*)+/?$")]
"""Below data, and nowhere hidden."""

FILE_NAME = r"^\w[\w .()+-]*\.(tar|gz|tgz|bz2|xz|zip|txt|csv|json|pth|pt|pkl|ckpt|bin|safetensors)$"
"""Archives, lists and weights: nothing that Python, a shell or git would run or obey."""


def without_secrets(text: str) -> str:
    """Return an address, or a message that has addresses, without user, password and query.

    >>> without_secrets("http://me:word@host/a.zip?token=1 is gone")
    'http://host/a.zip is gone'
    """
    return re.sub(r"(?<=://)[^\s/]*@|(?<=\S)[?#][^\s'\")]+", "", text)


def _check_url(url: str) -> str:
    if urlsplit(url).scheme not in ("http", "https", "file"):
        raise ValueError(f"expected an address that starts with http, https or file, got {without_secrets(url)!r}")
    return url


class RegisteredFile(Strict):
    """One file as its authors published it."""

    name: Annotated[str, Field(pattern=FILE_NAME)]
    mirrors: tuple[Annotated[str, AfterValidator(_check_url)], ...] = Field(
        description="Addresses, tried in order; none if only a person can get the file."
    )
    md5: Annotated[str, Field(pattern="^[0-9a-f]{32}$")] | None = None
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{8,64}$", description="The whole hash, or its start.")] | None = None
    git_blob: Annotated[str, Field(pattern="^[0-9a-f]{40}$", description="The hash git knows the file by.")] | None = (
        None
    )

    @property
    def hashes(self) -> dict[str, str]:
        """The published hashes, or starts of them, by kind."""
        return self.model_dump(include={"sha256", "md5", "git_blob"}, exclude_none=True)


class Source(Strict):
    """What belongs together: an image set, the masks, or weights."""

    title: str
    kind: Literal["images", "masks", "weights"]
    folder: Folder = Field(description="Where its files lie.")
    files: tuple[RegisteredFile, ...] = Field(
        description="Empty where a person places a folder or an archive of unknown name."
    )
    size: str | None = Field(default=None, description="About how large it is; null if not known.")
    images: dict[Literal["train", "test", "masks"], Positive] | None = Field(
        description="How many there must be; null if not known."
    )
    by_hand: str = Field(description="What a person does where no mirror works.")
    licence: str
    citation: str
    checked: Literal["never"] | date = Field(description="When somebody last fetched all of it from here.")


def load_registry(path: Path = SOURCES) -> dict[str, Source]:
    """Read and validate the registry.

    Raises: ParamsError listing every fault with its dotted path.
    """
    absent = "Name the registry of sources: --sources FILE"
    return read_document(path, TypeAdapter(dict[Name, Source]), shown=path, absent=absent)


def source_of(registry: dict[str, Source], path: str | Path) -> str | None:
    """Return the source that a file belongs to by where it lies; None if it is not registered."""
    folder, name = Path(path).parent, Path(path).name
    for source, entry in registry.items():
        if Path(entry.folder) == folder and any(file.name == name for file in entry.files):
            return source
    return None
