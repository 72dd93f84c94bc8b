"""Reading prepared images, which are stored beside their manifest or referenced where they lie."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from spl.data.images import decode_rgb
from spl.data.rawfiles import Place, read_place
from spl.data.tables import read_table
from spl.errors import DataError
from spl.files import read_json

AGAIN = "Prepare the images again: snakemake --cores all data"


class PreparedImages:
    """The images of a manifest: those of one split in its order, or those with certain names in theirs.

    Raises: DataError if the manifest is missing or has no image of a name.
    """

    def __init__(self, manifest: Path, *, split: str | None = None, names: Sequence[str] | None = None) -> None:
        table = read_table(manifest, columns=("split", "file", *Place._fields))
        if split is not None:
            table = table[table["split"] == split]
        if names is not None:
            if unknown := set(names) - set(table["file"]):
                raise DataError(f"{manifest} has no image {min(unknown)}. {AGAIN}")
            table = table.set_index("file", drop=False).loc[list(names)]
        # Arrays, not lists: a million Python strings would be copied into every process that reads some of them.
        self._names = np.array(table["file"].tolist(), dtype=np.bytes_)
        self._container, self._containers = pd.factorize(table["container"])
        self._slices = table[["offset", "size", "packed"]].to_numpy(dtype=np.int64)
        self._manifest = manifest

    def __len__(self) -> int:
        return len(self._names)

    def name(self, i: int) -> str:
        """Return the name of image `i`, such as `test/0000001.png`, whether or not a file has it."""
        return self._names[i].decode()

    def where(self, i: int) -> tuple[Path, Place]:
        """Return where the bytes of image `i` lie: a folder, and a place in it."""
        container, numbers = self._containers[self._container[i]], self._slices[i].tolist()
        if container:
            return self._raw, Place(container, *numbers)
        return self._manifest.parent, Place(self.name(i), *numbers)

    def content(self, i: int) -> bytes:
        """Return the bytes of image `i` as they are stored.

        Raises: DataError if the file is missing, or not as it was when it was referenced.
        """
        return read_place(*self.where(i))

    def pixels(self, i: int, *, size: int | None = None, sha256: str | None = None) -> np.ndarray:
        """Decode image `i`, (size, size, 3) uint8.

        Raises: DataError if it has another size, since it was prepared for other settings, or not the hash it should
            have.
        """
        content, name = self.content(i), self._manifest.parent / self.name(i)
        if sha256 and hashlib.sha256(content).hexdigest() != sha256:
            raise DataError(f"{name} was changed since it was prepared. {AGAIN}")
        pixels = decode_rgb(content, name)
        if size and pixels.shape[:2] != (size, size):
            height, width = pixels.shape[:2]
            raise DataError(f"{name}: expected {size} x {size} pixels, got {width} x {height}. {AGAIN}")
        return pixels

    @cached_property
    def _raw(self) -> Path:
        return Path(read_json(self._manifest.with_name("record.json"))["raw"])
