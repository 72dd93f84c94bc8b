"""Reading what preparation left: images and masks by the place that a table gives them."""

import hashlib
from collections.abc import Callable, Collection, Iterable
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from spl.common.errors import DataError, again
from spl.common.tables import read_table
from spl.data.images import decode_rgb, resize_mask
from spl.data.masks import decode_mask
from spl.sources.raw_files import Place, read_place
from spl.steps.paths import composited_files
from spl.steps.records import read_record

KEPT = 32 << 20
"""Bytes of decoded images, or of masks, that one process keeps."""


class Kept:
    """What a function makes of numbers, kept while there is room: what a small set holds is decoded once, not again.

    Nobody may write into the arrays.
    """

    def __init__(self, make: Callable[..., list[np.ndarray]]) -> None:
        self._make, self._room, self._found = make, KEPT, dict[tuple[int, ...], list[np.ndarray]]()

    def __call__(self, *numbers: int) -> list[np.ndarray]:
        """Return the arrays of some numbers, kept or made."""
        if numbers in self._found:
            return self._found[numbers]
        made = self._make(*numbers)
        size = sum(part.nbytes for part in made)
        if size <= self._room:
            self._room -= size
            self._found[numbers] = made
        return made


class StoredFiles:
    """The files of a table in its order, or those with certain names in theirs.

    Raises: DataError if the table is missing or has no file of a name.
    """

    def __init__(self, table: Path, rows: pd.DataFrame, names: Collection[str] | None) -> None:
        if names is not None:
            if unknown := set(names) - set(rows["file"]):
                raise DataError(f"{table} has no {min(unknown)}. Run: {again(table)}")
            rows = rows.set_index("file", drop=False).loc[list(names)]
        self._table = table
        # Arrays, not lists: a million Python strings would be copied into every process that reads some of them.
        self._names = np.array(rows["file"].tolist(), dtype=np.bytes_)
        self._container, self._containers = pd.factorize(rows["container"])
        self._slices = rows[["offset", "size", "packed"]].to_numpy(dtype=np.int64)
        self._sha256 = np.frombuffer(bytes.fromhex("".join(rows["sha256"])), np.uint8).reshape(-1, 32)

    def __len__(self) -> int:
        return len(self._names)

    def name(self, i: int) -> str:
        """Return the name of file `i` in the table."""
        return self._names[i].decode()

    def where(self, i: int) -> tuple[Path, Place]:
        """Return where the bytes of file `i` lie: a folder, and a place in it."""
        container, slice_ = str(self._containers[self._container[i]]), self._slices[i].tolist()
        if container:
            return self._root, Place(container, *slice_)
        return self._table.parent, Place(self.name(i), *slice_)

    def content(self, i: int, sha256: str | None = None) -> bytes:
        """Return the bytes of file `i` as they are stored.

        Raises: DataError if the file is missing, or not the one that the table describes, or not of the given hash.
        """
        root, place = self.where(i)
        content = read_place(root, place)
        _require_hash(content, sha256 or self._sha256[i].tobytes().hex(), root / place.container, self._table)
        return content

    @cached_property
    def _root(self) -> Path:
        """The folder that containers lie in."""
        return self._table.parent


def first_rows(images: Iterable[str]) -> dict[str, int]:
    """Return the row of every image with its first mask; figures and detections show no other.

    >>> first_rows(["test/a.png", "test/b.png", "test/a.png"])
    {'test/a.png': 0, 'test/b.png': 1}
    """
    rows: dict[str, int] = {}
    for row, image in enumerate(images):
        rows.setdefault(image, row)
    return rows


class FilledImages:
    """The filled images of an evaluation, beside its per_image.csv."""

    def __init__(self, per_image: Path) -> None:
        table = read_table(per_image, columns=("image", "composited_sha256"))
        self._table, self._sha256, self._rows = per_image, table["composited_sha256"], first_rows(table["image"])
        self._paths = [per_image.parent / name for name in composited_files(table["image"])]

    def pixels(self, image: str | int) -> np.ndarray:
        """Decode a filled image by the name of the test image, with its first mask, or by its row, (H, W, 3) uint8.

        Raises: DataError if it is missing, or not the one that was measured.
        """
        row = self._rows[image] if isinstance(image, str) else image
        return decode_rgb(read_listed(self._paths[row], self._sha256[row], self._table), self._paths[row])


def read_listed(path: Path, sha256: str, table: Path) -> bytes:
    """Read a plain file that a table lists with its hash.

    Raises: DataError if it is missing, or another one.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path} does not exist. Make it again: {again(table)}") from None
    _require_hash(content, sha256, path, table)
    return content


def _require_hash(content: bytes, sha256: str, path: Path, table: Path) -> None:
    if hashlib.sha256(content).hexdigest() != sha256:
        raise DataError(f"{path} is not the file that {table} lists: it was edited. Make it again: {again(table)}")


class PreparedImages(StoredFiles):
    """The images of a manifest, those of one split or those with certain names.

    Names are such as `test/0000001.png`; an image that had the network's size already lies in the raw data.
    """

    def __init__(self, manifest: Path, *, split: str | None = None, names: Collection[str] | None = None) -> None:
        rows = read_table(manifest, columns=("split", "file", "sha256", *Place._fields))
        super().__init__(manifest, rows if split is None else rows[rows["split"] == split], names)

    def pixels(self, i: int, *, size: int | None = None, sha256: str | None = None) -> np.ndarray:
        """Decode image `i`, (size, size, 3) uint8.

        Raises: DataError if it has another size, since it was prepared for other settings, or another hash.
        """
        name = self._table.parent / self.name(i)
        pixels = decode_rgb(self.content(i, sha256), name)
        if size and pixels.shape[:2] != (size, size):
            found = " x ".join(map(str, pixels.shape[1::-1]))
            raise DataError(f"{name}: expected {size} x {size} pixels, got {found}. Run: {again(self._table)}")
        return pixels

    @cached_property
    def _root(self) -> Path:
        return Path(read_record(self._table.with_name("record.json"))["raw"])


class GroupedMasks(StoredFiles):
    """The usable masks of a table of grouped masks, or those with certain names."""

    def __init__(self, table: Path, *, names: Collection[str] | None = None) -> None:
        rows = read_table(table, columns=("file", "rejected", "sha256", *Place._fields))
        super().__init__(table, rows[rows["rejected"] == ""], names)
        self._drawn = Kept(lambda i, size: [self.hole(i, size)])

    def hole(self, i: int, size: int, *, sha256: str | None = None) -> np.ndarray:
        """Decode mask `i` at the network's size, (size, size) bool, True = hole.

        Raises: DataError if the file is missing or has another hash.
        """
        mask = decode_mask(self.content(i, sha256), self._table.parent / self.name(i), "white")
        return resize_mask(mask, size)

    def draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """Draw one of the masks that have a hole at the network's size, uniformly, (size, size) bool, True = hole.

        Raises: DataError as `hole` does, and if there seems to be none.
        """
        for _ in range(1000):
            (mask,) = self._drawn(int(rng.integers(len(self))), size)
            if mask.any():
                return mask
        raise DataError(f"{self._table}: 1,000 masks in a row have no hole at {size} x {size} pixels. Use thicker.")
