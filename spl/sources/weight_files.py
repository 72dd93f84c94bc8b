"""Identity of weight files that a person may place in a folder: the registry knows each by its hash."""

from functools import cache
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from spl.common.errors import CheckpointError
from spl.common.files import sha256
from spl.config.registry import load_registry, without_secrets

_registry = cache(load_registry)


class WeightFile(NamedTuple):
    """A file as its authors published it."""

    names: tuple[str, ...]
    """Names that it may have: the registered one, and the one at its address."""

    sha256: str
    """The start of its hash."""

    url: str

    @classmethod
    def registered(cls, source: str, name: str) -> Self:
        """Look a file up in the registry that comes with the package; its hash has to be published there."""
        (file,) = (file for file in _registry()[source].files if file.name == name)
        assert file.sha256
        url = without_secrets(file.mirrors[0])
        return cls(tuple(dict.fromkeys([name, Path(urlsplit(url).path).name])), file.sha256, url)

    def find(self, folder: Path) -> Path | None:
        """Return where the file lies, under any of its names; None if it does not."""
        return next((path for name in self.names if (path := folder / name).is_file()), None)

    def require(self, folder: Path) -> Path:
        """Return where the file lies.

        Raises: CheckpointError if it is missing, damaged or another one.
        """
        path = self.find(folder)
        if path is None:
            raise CheckpointError(self.lacks(folder))
        self.check(path)
        return path

    def check(self, path: Path) -> None:
        """Compare the hash of a file with the published one.

        Raises: CheckpointError if it is damaged or another one.
        """
        if not (found := sha256(path)).startswith(self.sha256):
            raise CheckpointError(
                f"{path}: expected the published file, whose sha256 starts with {self.sha256}, got {found[:8]}. "
                f"Fetch it again: {self.url}"
            )

    def lacks(self, folder: Path) -> str:
        """Say that the file is missing, and what to do."""
        return f"{folder} has no {' or '.join(self.names)}. Fetch {self.url} and place it there."
