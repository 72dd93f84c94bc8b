"""Getting raw files: drawn for the embedded default, fetched from the registry's mirrors, or supplied by a person.

This is the only step in which the embedded default differs from real data. Each fetch leaves a record under
`data/sources/` that says where the files lie, and beside it the list of those that are used.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath

from spl import miniature
from spl.common.errors import DataError, ParamsError
from spl.common.files import replace_folder, sha256, write_rows
from spl.common.names import is_image
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

    Files of a person's own that are left out are counted in the record and in a line on stderr.
    Raises: DataError saying what to place where if a person has to supply them, or what is wrong with them.
    """
    folder, entry = _locate(settings, registry or {}, policy, workers)
    files = [file.name for file in entry.files] if entry else []
    raw = RawFiles(folder, files)
    listed = _list_files(raw, settings)
    left_out = _left_out(raw, settings, {file.path for file in listed})
    counts = dict(Counter(file.split or "masks" for file in listed))
    facts = (counts if "masks" in counts else {"images": counts}) | ({"left_out": left_out} if left_out else {})
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
    folder = fetch_source(entry.model_copy(update={"files": needed}), policy)
    write_record(record, settings, _inputs(folder, [file.name for file in needed]), {}, folder=str(folder))


def fetch_source(source: Source, policy: RetryPolicy = POLICY) -> Path:
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


def fetch_pretext(settings: PretextSettings, record: Path, *, workers: int) -> None:
    """Draw the labelled images that teachers are trained on; write their list, and the record of where they lie."""
    source, folder = settings.pretext, DRAWN / "pretext"
    with replace_folder(folder) as temporary:
        drawn = {"train": source.train, "val": source.val, "shadows": source.shadows}
        miniature.draw_pretext_set(temporary, seed=settings.seed, workers=workers, **drawn)
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
        case MiniatureImages(scene=scene, train=train, test=test, shadows=shadows):
            with replace_folder(folder) as temporary:
                miniature.draw_image_set(scene, temporary, train=train, test=test, shadows=shadows, **common)
        case MiniatureMasks(per_bin=per_bin):
            with replace_folder(folder) as temporary:
                miniature.draw_mask_set(temporary, per_bin=per_bin, **common)
        case Supplied(path=path):
            folder = Path(path)
            if not folder.is_dir():
                fault = "is a file, expected its folder" if folder.exists() else "does not exist"
                raise DataError(f"{folder} {fault}. Place {what} there, or change {key}.path in params.yaml.")
        case Registered(name=name):
            entry = registry.get(name)
            if entry is None or entry.kind != kind:
                known = ", ".join(name for name, known in registry.items() if known.kind == kind)
                raise ParamsError(f"{key}.name: the registry has no {kind} {name!r}; it has {known}")
            return fetch_source(entry, policy), entry
    return folder, None


def _list_files(raw: RawFiles, settings: RawSettings) -> list[RawFile]:
    try:
        if isinstance(settings, ImageSourceSettings):
            return list_images(raw, settings.layout, seed=settings.seed, name=settings.dataset)
        if masks := sorted(raw.images(settings.glob)):
            return [RawFile("", mask) for mask in masks]
        raise DataError(
            f"{raw.root} has no file matching {settings.glob} that is an image, nor has an archive there. "
            "Place the masks, or change masks.glob in params.yaml."
        )
    except DataError as error:
        unread = f"\nNot read, since images lie beside: {', '.join(raw.passed_over)}" if raw.passed_over else ""
        raise DataError(f"{error}{unread}") from None


def _left_out(raw: RawFiles, settings: RawSettings, used: set[str]) -> dict[str, int]:
    """Count the files that a person may have meant to be used, and say so in one line.

    Archives are counted everywhere; other files in a person's own folder, unless the layout is that of an archive.
    """
    chooser = settings.layout if isinstance(settings, ImageSourceSettings) else settings
    own = isinstance(settings.source, Supplied)
    choices = [getattr(chooser, key) for key in ("glob", "train", "test") if own and hasattr(chooser, key)]
    rest = raw.keys() - used - {*map(raw.path_of, choices)} if choices else set()
    others = [path for path in rest if not is_image(path)]
    endings = ", ".join(sorted({PurePath(path).suffix.lower() or "none" for path in others}))
    kinds = {
        "unmatched": (len(rest) - len(others), f"not chosen by {' or '.join(choices)}"),
        "no_image": (len(others), f"without an image's ending ({endings})"),
        "archives": (len(raw.passed_over), f"not read, since images lie beside ({', '.join(raw.passed_over)})"),
    }
    left_out = {kind: count for kind, (count, _) in kinds.items() if count}
    if left_out:
        total = f"{sum(left_out.values()):,} of {len(raw) + len(raw.passed_over):,} files are left out"
        reasons = "; ".join(f"{count:,} {reason}" for count, reason in kinds.values() if count)
        print(f"{raw.root}: {total}: {reasons}", file=sys.stderr)
    return left_out


def _inputs(folder: Path, files: Iterable[str]) -> Inputs:
    """Return the hashes of fetched files, which fetching has verified."""
    known = recorded(folder)
    return {name: {"path": str(folder / name), "sha256": known[name]} for name in files}
