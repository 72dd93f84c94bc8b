"""Getting raw files: drawn for the embedded default, fetched from the registry's mirrors, or supplied by a person.

This is the only step in which the embedded default differs from real data. Each fetch leaves a record under
`data/sources/` that says where the files lie, and beside it the list of those that are used.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

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
from spl.steps.settings import ImageSourceSettings, MaskSourceSettings, PretextSettings, WeightSourceSettings

DRAWN = Path("data/raw/miniature")
"""Where the miniature world is drawn: a folder of its own, so that drawing never touches what a person has placed."""

Registry = Mapping[str, Source]
NO_REGISTRY: Registry = {}


def fetch_images(
    settings: ImageSourceSettings,
    record: Path,
    *,
    registry: Registry = NO_REGISTRY,
    policy: RetryPolicy = POLICY,
    workers: int = 1,
) -> None:
    """Make one dataset's raw pictures available; write their list, and the record of where they lie.

    Raises: DataError saying what to place where if a person has to supply them, or what is wrong with them.
    """
    source, name, entry = settings.source, settings.dataset, None
    if isinstance(source, MiniatureImages):
        folder, files = DRAWN / "images" / name, ()
        _draw(folder, lambda path: miniature.draw_image_set(
            source.scene, path, seed=settings.seed, train=source.train, test=source.test, workers=workers
        ))  # fmt: skip
    elif isinstance(source, Registered):
        entry = _entry(registry, source, "images", f"datasets.{name}.source.name")
        folder, files = _fetch(entry, policy)
    else:
        folder, files = _supplied(source, f"the pictures of the dataset {name!r}", f"datasets.{name}.source.path"), ()
    raw = RawFiles(folder, files)
    images = list_images(raw, settings.layout, seed=settings.seed, name=name)
    counts = {split: sum(image.split == split for image in images) for split in ("train", "test")}
    _check_counts(folder, counts, entry)
    listing = {"listing": write_listing(record, raw, images)}
    whose = entry.citation if entry else ""
    write_record(record, settings, _inputs(folder, files), listing, folder=str(folder), images=counts, citation=whose)


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
    source, entry = settings.source, None
    if isinstance(source, MiniatureMasks):
        folder, files = DRAWN / "masks", ()
        _draw(folder, lambda path: miniature.draw_mask_set(
            path, seed=settings.seed, per_bin=source.per_bin, workers=workers
        ))  # fmt: skip
    elif isinstance(source, Registered):
        entry = _entry(registry, source, "masks", "masks.source.name")
        folder, files = _fetch(entry, policy)
    else:
        folder, files = _supplied(source, "irregular masks", "masks.source.path"), ()
    raw = RawFiles(folder, files)
    masks = sorted(raw.matching(settings.glob))
    if not masks:
        raise DataError(
            f"{folder} has no file matching {settings.glob}, nor has an archive there. "
            "Place the masks, or change masks.glob in params.yaml."
        )
    _check_counts(folder, {"masks": len(masks)}, entry)
    listing = {"listing": write_listing(record, raw, (("", mask) for mask in masks))}
    whose = entry.citation if entry else ""
    write_record(
        record, settings, _inputs(folder, files), listing, folder=str(folder), masks=len(masks), citation=whose
    )


def fetch_weights(
    settings: WeightSourceSettings, record: Path, *, registry: Registry, policy: RetryPolicy = POLICY
) -> None:
    """Make the weight files of a registered source available and record their hashes.

    Raises: DataError saying what to place where if a person has to supply them.
    """
    entry = registry[settings.source]
    needed = tuple(file for file in entry.files if file.name in settings.files)
    folder, files = _fetch(entry.model_copy(update={"files": needed}), policy)
    write_record(record, settings, _inputs(folder, files), {}, folder=str(folder))


def fetch_pretext(settings: PretextSettings, record: Path, *, workers: int) -> None:
    """Draw the labelled pictures that teachers are trained on; write their list, and the record of where they lie."""
    source, folder = settings.pretext, DRAWN / "pretext"
    _draw(folder, lambda path: miniature.draw_pretext_set(
        path, seed=settings.seed, train=source.train, val=source.val, workers=workers
    ))  # fmt: skip
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


def _draw(folder: Path, draw: Callable[[Path], None]) -> None:
    """Draw into a temporary folder and put it in place when it is whole."""
    with replace_folder(folder) as temporary:
        draw(temporary)


def _entry(registry: Registry, source: Registered, kind: str, key: str) -> Source:
    entry = registry.get(source.name)
    if entry is None or entry.kind != kind:
        known = ", ".join(name for name, known in registry.items() if known.kind == kind)
        raise ParamsError(f"{key}: the registry has no {kind} {source.name!r}; it has {known}")
    return entry


def _fetch(source: Source, policy: RetryPolicy) -> tuple[Path, list[str]]:
    """Fetch all files of a source; return their folder and their names there, none if they are not known.

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
    return folder, [file.name for file in source.files]


def _inputs(folder: Path, files: Sequence[str]) -> Inputs:
    """Return the hashes of fetched files, which fetching has verified."""
    known = recorded(folder)
    return {name: {"path": str(folder / name), "sha256": known[name]} for name in files}


def _supplied(source: Supplied, what: str, key: str) -> Path:
    folder = Path(source.path)
    if not folder.is_dir():
        raise DataError(f"{folder} does not exist. Place {what} there, or change {key} in params.yaml.")
    return folder


def _check_counts(folder: Path, counts: dict[str, int], source: Source | None) -> None:
    """Compare with the published numbers of pictures.

    Raises: DataError if there are fewer or more.
    """
    for kind, count in ((source and source.pictures) or {}).items():
        if counts[kind] != count:
            what = "masks" if kind == "masks" else f"{kind} pictures"
            raise DataError(
                f"{folder}: expected {count:,} {what}, as published, got {counts[kind]:,}. "
                "Are all archives there and whole?"
            )
