"""Getting raw files: drawn for the embedded default, or found where a person has put them.

This is the only step in which the embedded default differs from real data. Each fetch leaves a small
record under `data/sources/` that says where the files lie.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from spl.config import MiniatureImages, MiniatureMasks
from spl.data import world
from spl.data.layouts import list_images
from spl.errors import DataError
from spl.files import read_json, replace_folder
from spl.records import write_record
from spl.settings import ImageSourceSettings, MaskSettings, PretextSettings

DRAWN = Path("data/raw/miniature")
"""Where the miniature world is drawn: a folder of its own, so that drawing never touches what a person has placed."""


def fetch_images(settings: ImageSourceSettings, record: Path, *, workers: int) -> None:
    """Make one dataset's raw pictures available and record where they lie.

    Raises: DataError saying what to place where, if a person has to supply them.
    """
    source, name = settings.source, settings.name
    if isinstance(source, MiniatureImages):
        folder = DRAWN / "images" / name
        _draw(folder, lambda path: world.draw_image_set(
            source.scene, path, seed=settings.seed, train=source.train, test=source.test, workers=workers
        ))  # fmt: skip
    else:
        folder = _supplied(source.path, f"the pictures of the dataset {name!r}", f"datasets.{name}.source.path")
    images = list_images(folder, settings.layout, seed=settings.seed, name=name)
    counts = {split: sum(image.split == split for image in images) for split in ("train", "test")}
    files = [folder / image.path for image in images]
    write_record(record, settings, {}, folder=str(folder), images=counts, fingerprint=_fingerprint(folder, files))


def fetch_masks(settings: MaskSettings, record: Path, *, workers: int) -> None:
    """Make the raw masks available and record where they lie.

    Raises: DataError saying what to place where, if a person has to supply them.
    """
    source = settings.masks.source
    if isinstance(source, MiniatureMasks):
        folder = DRAWN / "masks"
        _draw(folder, lambda path: world.draw_mask_set(
            path, seed=settings.seed, per_bin=source.per_bin, workers=workers
        ))  # fmt: skip
    else:
        folder = _supplied(source.path, "the irregular masks (Liu et al. 2018, test_mask.zip)", "masks.source.path")
    files = sorted(folder.glob(settings.masks.glob))
    if not files:
        raise DataError(f"{folder} has no file matching {settings.masks.glob}. Place the masks or change masks.glob.")
    write_record(record, settings, {}, folder=str(folder), masks=len(files), fingerprint=_fingerprint(folder, files))


def fetch_pretext(settings: PretextSettings, record: Path, *, workers: int) -> None:
    """Draw the labelled pictures that teachers are trained on, and record where they lie."""
    source, folder = settings.source, DRAWN / "pretext"
    _draw(folder, lambda path: world.draw_pretext_set(
        path, seed=settings.seed, train=source.train, val=source.val, workers=workers
    ))  # fmt: skip
    write_record(record, settings, {}, folder=str(folder))


def raw_folder(record: Path) -> Path:
    """Return the folder that a fetch recorded.

    Raises: DataError if the record or the folder is gone.
    """
    folder = Path(read_json(record)["folder"])
    if not folder.is_dir():
        raise DataError(f"{record} points to {folder}, which is gone. Run: snakemake --cores all --force -- {record}")
    return folder


def _draw(folder: Path, draw: Callable[[Path], None]) -> None:
    """Draw into a temporary folder and put it in place when it is whole."""
    with replace_folder(folder) as temporary:
        draw(temporary)


def _fingerprint(folder: Path, files: list[Path]) -> str:
    """Hash the names and sizes of raw files: fetching again notices files that came, went or were replaced.

    Raises: DataError if a listed file is missing.
    """
    digest = hashlib.sha256()
    for file in files:
        try:
            digest.update(f"{file.relative_to(folder).as_posix()} {file.stat().st_size}\n".encode())
        except FileNotFoundError:
            raise DataError(f"{file} is listed but does not exist. Unpack the archive again.") from None
    return digest.hexdigest()


def _supplied(path: str, what: str, key: str) -> Path:
    folder = Path(path)
    if not folder.is_dir():
        raise DataError(f"{folder} does not exist. Place {what} there, or change {key} in params.yaml.")
    return folder
