"""Getting raw files: drawn for the embedded default, fetched from the registry's mirrors, or supplied by a person.

This is the only step in which the embedded default differs from real data. Each fetch leaves a record under
`data/sources/` that says where the files lie, and beside it the list of those that are used.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from spl import miniature
from spl.common.errors import DataError, ParamsError, again
from spl.common.files import atomic, replace_folder, sha256
from spl.config.experiment import MiniatureImages, MiniatureMasks, Registered, Supplied
from spl.config.registry import Source
from spl.sources.download import POLICY, download
from spl.sources.layouts import list_images
from spl.sources.listing import listing_of, write_listing
from spl.sources.raw_files import RawFiles
from spl.sources.transfer import RetryPolicy
from spl.sources.verify import recorded
from spl.steps.records import Inputs, read_record, write_record
from spl.steps.settings import ImageSourceSettings, MaskSourceSettings, PretextSettings, Settings, WeightSourceSettings

DRAWN = Path("data/raw/miniature")
"""Folder of the miniature world; nobody places files there, so drawing cannot destroy any."""

Registry = Mapping[str, Source]
NO_REGISTRY: Registry = {}


class _Found(NamedTuple):
    """The folder of a source, the names of its files if the registry lists them, and its entry there."""

    folder: Path
    files: Sequence[str] = ()
    entry: Source | None = None


def fetch_images(
    settings: ImageSourceSettings,
    record: Path,
    *,
    registry: Registry = NO_REGISTRY,
    policy: RetryPolicy = POLICY,
    workers: int = 1,
) -> None:
    """Make one dataset's raw images available; write their list, and the record of where they lie.

    Raises: DataError saying what to place where if a person has to supply them, or what is wrong with them.
    """
    source, name = settings.source, settings.dataset
    if isinstance(source, MiniatureImages):
        draw = partial(miniature.draw_image_set, source.scene, train=source.train, test=source.test)
        found = _draw(f"images/{name}", partial(draw, seed=settings.seed, workers=workers))
    else:
        found = _find(
            source, "images", f"datasets.{name}.source", f"the images of the dataset {name!r}", registry, policy
        )
    raw = RawFiles(found.folder, found.files)
    images = list_images(raw, settings.layout, seed=settings.seed, name=name)
    counts = {split: sum(image.split == split for image in images) for split in ("train", "test")}
    _write(settings, record, found, raw, images, counts, images=counts)


def fetch_masks(
    settings: MaskSourceSettings,
    record: Path,
    *,
    registry: Registry = NO_REGISTRY,
    policy: RetryPolicy = POLICY,
    workers: int = 1,
) -> None:
    """Make the raw masks available; write their list, and the record of where they lie.

    Raises: DataError as `fetch_images` does.
    """
    source = settings.source
    if isinstance(source, MiniatureMasks):
        draw = partial(miniature.draw_mask_set, per_bin=source.per_bin)
        found = _draw("masks", partial(draw, seed=settings.seed, workers=workers))
    else:
        found = _find(source, "masks", "masks.source", "irregular masks", registry, policy)
    raw = RawFiles(found.folder, found.files)
    masks = sorted(raw.matching(settings.glob))
    if not masks:
        raise DataError(
            f"{found.folder} has no file matching {settings.glob}, nor has an archive there. "
            "Place the masks, or change masks.glob in params.yaml."
        )
    _write(settings, record, found, raw, [("", mask) for mask in masks], {"masks": len(masks)}, masks=len(masks))


def fetch_weights(
    settings: WeightSourceSettings, record: Path, *, registry: Registry, policy: RetryPolicy = POLICY
) -> None:
    """Make the weight files of a registered source available and record their hashes.

    Raises: DataError saying what to place where if a person has to supply them.
    """
    entry = registry[settings.source]
    needed = tuple(file for file in entry.files if file.name in settings.files)
    found = _fetch(entry.model_copy(update={"files": needed}), policy)
    write_record(record, settings, _inputs(found), {}, folder=str(found.folder))


def fetch_pretext(settings: PretextSettings, record: Path, *, workers: int) -> None:
    """Draw the labelled images that teachers are trained on; write their list, and the record of where they lie."""
    draw = partial(miniature.draw_pretext_set, train=settings.pretext.train, val=settings.pretext.val)
    folder = _draw("pretext", partial(draw, seed=settings.seed, workers=workers)).folder
    files = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
    with atomic(listing_of(record)) as temporary:
        temporary.write_text("".join(["file,sha256\n", *(f"{file},{sha256(folder / file)}\n" for file in files)]))
    write_record(record, settings, {}, {"listing": listing_of(record)}, folder=str(folder))


def raw_folder(record: Path) -> Path:
    """Return the folder that a fetch recorded.

    Raises: DataError if the record or the folder is gone.
    """
    folder = Path(read_record(record)["folder"])
    if not folder.is_dir():
        raise DataError(f"{record} points to {folder}, which is gone. Run: {again(record)}")
    return folder


def _draw(name: str, draw: Callable[[Path], None]) -> _Found:
    """Draw into a temporary folder and put it in place when it is whole."""
    with replace_folder(DRAWN / name) as temporary:
        draw(temporary)
    return _Found(DRAWN / name)


def _find(
    source: Registered | Supplied, kind: str, key: str, what: str, registry: Registry, policy: RetryPolicy
) -> _Found:
    """Fetch a registered source, or look for the folder that a person supplies."""
    if isinstance(source, Supplied):
        folder = Path(source.path)
        if not folder.is_dir():
            raise DataError(f"{folder} does not exist. Place {what} there, or change {key}.path in params.yaml.")
        return _Found(folder)
    entry = registry.get(source.name)
    if entry is None or entry.kind != kind:
        known = ", ".join(name for name, known in registry.items() if known.kind == kind)
        raise ParamsError(f"{key}.name: the registry has no {kind} {source.name!r}; it has {known}")
    return _fetch(entry, policy)


def _fetch(source: Source, policy: RetryPolicy) -> _Found:
    """Fetch all files of a source.

    Raises: DataError with the reason, and what a person can do.
    """
    folder = Path(source.folder)
    try:
        for file in source.files:
            download(file, folder, policy=policy)
        if not folder.is_dir():
            raise DataError(f"{folder} does not exist.")
    except DataError as error:
        raise DataError(f"{error}\n{source.title}: {source.by_hand}") from None
    return _Found(folder, [file.name for file in source.files], source)


def _inputs(found: _Found) -> Inputs:
    """Return the hashes of fetched files, which fetching has verified."""
    known = recorded(found.folder)
    return {name: {"path": str(found.folder / name), "sha256": known[name]} for name in found.files}


def _write(
    settings: Settings,
    record: Path,
    found: _Found,
    raw: RawFiles,
    listed: Iterable[tuple[str, str]],
    counts: dict[str, int],
    **facts: Any,
) -> None:
    """Write the list of files, given as (split, path), and the record.

    Raises: DataError if there are fewer or more than published.
    """
    for kind, expected in ((found.entry and found.entry.pictures) or {}).items():
        if counts[kind] != expected:
            what = "masks" if kind == "masks" else f"{kind} images"
            raise DataError(
                f"{found.folder}: expected {expected:,} {what}, as published, got {counts[kind]:,}. "
                "Are all archives there and whole?"
            )
    listing = {"listing": write_listing(record, raw, listed)}
    facts |= {"citation": found.entry.citation if found.entry else ""}
    write_record(record, settings, _inputs(found), listing, folder=str(found.folder), **facts)
