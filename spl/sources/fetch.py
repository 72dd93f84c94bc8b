"""Getting raw files: drawn for the embedded default, fetched from the registry's mirrors, or supplied by a person.

This is the only step in which the embedded default differs from real data. Each fetch leaves a record under
`data/sources/` that says where the files lie, and beside it the list of those that are used.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from spl import miniature
from spl.common.errors import DataError, ParamsError
from spl.common.files import replace_folder, sha256, write_rows
from spl.config.experiment import MiniatureImages, MiniatureMasks, Registered, Supplied
from spl.config.registry import Source
from spl.sources.download import POLICY, download
from spl.sources.layouts import RawFile, list_images
from spl.sources.listing import listing_of, write_listing
from spl.sources.raw_files import RawFiles
from spl.sources.transfer import RetryPolicy
from spl.sources.verify import recorded
from spl.steps.records import Inputs, write_record
from spl.steps.settings import ImageSourceSettings, MaskSourceSettings, PretextSettings, WeightSourceSettings

DRAWN = Path("data/raw/miniature")
"""Folder of the miniature world; nobody places files there, so drawing cannot destroy any."""

Registry = Mapping[str, Source]
RawSettings = ImageSourceSettings | MaskSourceSettings


def fetch_raw(
    settings: RawSettings,
    record: Path,
    *,
    registry: Registry | None = None,
    policy: RetryPolicy = POLICY,
    workers: int = 1,
) -> None:
    """Make one dataset's raw images, or the raw masks, available; write their list, and the record of where they lie.

    Raises: DataError saying what to place where if a person has to supply them, or what is wrong with them.
    """
    folder, entry = _locate(settings, registry or {}, policy, workers)
    files = [file.name for file in entry.files] if entry else []
    raw = RawFiles(folder, files)
    if isinstance(settings, ImageSourceSettings):
        listed = list_images(raw, settings.layout, seed=settings.seed, name=settings.dataset)
    else:
        listed = [RawFile("", mask) for mask in _list_masks(raw, settings.glob)]
    counts = dict(Counter(file.split or "masks" for file in listed))
    facts = counts if "masks" in counts else {"images": counts}
    for kind, expected in ((entry and entry.images) or {}).items():
        if counts[kind] != expected:
            what = "masks" if kind == "masks" else f"{kind} images"
            raise DataError(
                f"{folder}: expected {expected:,} {what}, as published, got {counts[kind]:,}. "
                "Are all archives there and whole?"
            )
    outputs = {"listing": write_listing(record, raw, listed)}
    citation = entry.citation if entry else ""
    write_record(record, settings, _inputs(folder, files), outputs, folder=str(folder), **facts, citation=citation)


def fetch_weights(
    settings: WeightSourceSettings, record: Path, *, registry: Registry, policy: RetryPolicy = POLICY
) -> None:
    """Make the weight files of a registered source available and record their hashes.

    Raises: DataError saying what to place where if a person has to supply them.
    """
    entry = registry[settings.source]
    needed = tuple(file for file in entry.files if file.name in settings.files)
    folder = _fetch(entry.model_copy(update={"files": needed}), policy)
    write_record(record, settings, _inputs(folder, [file.name for file in needed]), {}, folder=str(folder))


def fetch_pretext(settings: PretextSettings, record: Path, *, workers: int) -> None:
    """Draw the labelled images that teachers are trained on; write their list, and the record of where they lie."""
    source, folder = settings.pretext, DRAWN / "pretext"
    with replace_folder(folder) as temporary:
        miniature.draw_pretext_set(temporary, seed=settings.seed, train=source.train, val=source.val, workers=workers)
    files = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
    write_rows(listing_of(record), [("file", "sha256"), *((file, sha256(folder / file)) for file in files)])
    write_record(record, settings, {}, {"listing": listing_of(record)}, folder=str(folder))


def _locate(settings: RawSettings, registry: Registry, policy: RetryPolicy, workers: int) -> tuple[Path, Source | None]:
    """Draw, find or fetch the files; return their folder, and their entry in the registry if they have one."""
    if isinstance(settings, ImageSourceSettings):
        dataset = settings.dataset
        kind, key, folder = "images", f"datasets.{dataset}.source", DRAWN / "images" / dataset
        what = f"the images of the dataset {dataset!r}"
    else:
        kind, key, folder, what = "masks", "masks.source", DRAWN / "masks", "irregular masks"
    common = {"seed": settings.seed, "workers": workers}
    match settings.source:
        case MiniatureImages(scene=scene, train=train, test=test):
            with replace_folder(folder) as temporary:
                miniature.draw_image_set(scene, temporary, train=train, test=test, **common)
        case MiniatureMasks(per_bin=per_bin):
            with replace_folder(folder) as temporary:
                miniature.draw_mask_set(temporary, per_bin=per_bin, **common)
        case Supplied(path=path):
            folder = Path(path)
            if not folder.is_dir():
                raise DataError(f"{folder} does not exist. Place {what} there, or change {key}.path in params.yaml.")
        case Registered(name=name):
            entry = registry.get(name)
            if entry is None or entry.kind != kind:
                known = ", ".join(name for name, known in registry.items() if known.kind == kind)
                raise ParamsError(f"{key}.name: the registry has no {kind} {name!r}; it has {known}")
            return _fetch(entry, policy), entry
    return folder, None


def _fetch(source: Source, policy: RetryPolicy) -> Path:
    """Fetch all files of a source and return their folder.

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
    return folder


def _list_masks(raw: RawFiles, glob: str) -> list[str]:
    masks = sorted(raw.matching(glob))
    if not masks:
        raise DataError(
            f"{raw.root} has no file matching {glob}, nor has an archive there. "
            "Place the masks, or change masks.glob in params.yaml."
        )
    return masks


def _inputs(folder: Path, files: Iterable[str]) -> Inputs:
    """Return the hashes of fetched files, which fetching has verified."""
    known = recorded(folder)
    return {name: {"path": str(folder / name), "sha256": known[name]} for name in files}
