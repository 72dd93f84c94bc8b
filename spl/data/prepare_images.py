"""Prepared images: every image at the network's size, with a manifest.

An image that has that size already stays where it is, also inside an archive: it is decoded once, to see that it is
whole, hashed and referenced. The others are cropped, resized and stored losslessly.
"""

import hashlib
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from io import BytesIO
from itertools import chain
from pathlib import Path
from zlib import crc32

import numpy as np
from PIL import Image

from spl.common.errors import DataError
from spl.common.files import write_rows
from spl.common.shards import Row, Shard, resumable_folder, run_shards
from spl.data.images import centre_crop, first_faults, load_opaque, read_raw, resize_image, to_rgb
from spl.sources.listing import Listed, Listing
from spl.sources.raw_files import Place
from spl.steps.records import read_record, take, write_record
from spl.steps.settings import ImageSettings

COLUMNS = ("split", "file", "source", "sha256", *Place._fields)


def prepare_images(settings: ImageSettings, source: Path, folder: Path, *, workers: int) -> None:
    """Bring one dataset's images to the network's size.

    Writes `folder`/{train,validation,test}/*.png; `manifest.csv` in a stable order: split, file, source, sha256 of the
    bytes and where they lie: in `file` here, or, where `container` is not empty, in a slice of that raw file;
    `skipped.csv`; and `record.json`. `folder` appears at once or not at all; a killed call goes on where it was.
    Test images with the pixels of a training image are left out where the split was drawn, and counted everywhere.
    Raises: DataError naming every unreadable image it came across, if more are unreadable than may be left out, an
        image of the test set is, or fewer training images are left than are held out.
    """
    inputs, listing = take(source=source), Listing(source)
    names, splits = hashlib.sha256(), Counter[str]()
    for row in listing:
        names.update(f"{row.path}\n".encode())
        splits[row.split] += 1
    held_out = _held_out(splits["train"], settings)
    rows = (row._replace(split="validation") if i in held_out else row for i, row in enumerate(listing))
    drawn = read_record(source)["settings"]["layout"]["kind"] == "folder"
    key = settings.model_dump(exclude={"skip_unreadable"}) | {"raw": str(listing.folder), "files": names.hexdigest()}
    key |= {"drawn": drawn}
    with resumable_folder(folder, key, inputs=[listing.folder]) as temporary:
        for split in {*splits, *(["validation"] if held_out else [])}:
            (temporary / split).mkdir(exist_ok=True)
        work = partial(_prepare_shard, listing.folder, temporary, settings.crop, settings.image_size, drawn)
        shown = {"total": splits.total(), "what": f"prepare {settings.dataset}", "unit": "image"}
        results = run_shards(rows, work, temporary, workers=workers, **shown)
        manifest, skipped = temporary / "manifest.csv", temporary / "skipped.csv"
        counts, faults = Counter[str](), list[tuple[str, str]]()
        write_rows(manifest, chain([COLUMNS], _usable(results, settings, counts, faults, drawn)))
        write_rows(skipped, [("source", "reason"), *faults])
        if repeated := counts["in_train_and_test"]:
            fate = ", and are left out" if drawn else ""
            what = f"{repeated} test images of {settings.dataset} are also training images{fate}"
            print(f"warning: {what}", file=sys.stderr)
        write_record(
            temporary / "record.json",
            settings,
            inputs,
            {"manifest": manifest, "skipped": skipped},
            raw=str(listing.folder),
            images={split: counts[split] for split in ("train", "validation", "test") if counts[split]},
            referenced=counts["referenced"],
            skipped=len(faults),
            in_train_and_test=counts["in_train_and_test"],
        )


def _held_out(train: int, settings: ImageSettings) -> set[int]:
    """Draw from the seed which of the training images, the first of a list, are for validation."""
    count = settings.validation
    if count >= train:
        raise DataError(
            f"datasets.{settings.dataset}.validation holds out {count} of {train} training images, which leaves none"
        )
    rng = np.random.default_rng([settings.seed, crc32(settings.dataset.encode()), count])
    return set(rng.choice(train, count, replace=False).tolist())


def _prepare_shard(raw: Path, folder: Path, crop: int | None, size: int, drawn: bool, shard: Shard) -> list[Row]:
    """Prepare some images; return their manifest rows, each followed by its identity and why it is left out, if it is.

    The identity is the hash of the stored bytes, or, where the split was drawn, always that of a PNG of the pixels.
    """
    return [
        _prepare(raw, Listed(*row), f"{row[0]}/{number:07d}.png", folder, crop, size, drawn)
        for number, row in enumerate(shard.rows, shard.first)
    ]


def _prepare(raw: Path, image: Listed, file: str, folder: Path, crop: int | None, size: int, drawn: bool) -> Row:
    """Prepare one image.

    Raises: DataError if it is of the test set and cannot be read.
    """
    (folder / file).unlink(missing_ok=True)  # of a raw image that was replaced since
    try:
        content = read_raw(raw, image)
        decoded = load_opaque(content, raw / image.path)
        if decoded.size == (size, size) and crop in (None, size):
            digest = hashlib.sha256(content).hexdigest()
            identity = hashlib.sha256(_encode(to_rgb(decoded))).hexdigest() if drawn else digest
            return (image.split, file, image.path, digest, *image.place, identity, "")
        pixels = to_rgb(decoded)
        if crop is not None:
            pixels = centre_crop(pixels, crop, raw / image.path)
    except DataError as error:
        if image.split != "train":
            raise
        return (image.split, file, image.path, "", *Place("", 0, 0, 0), "", str(error))
    content = _encode(resize_image(pixels, size))
    (folder / file).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return (image.split, file, image.path, digest, *Place("", 0, len(content), 0), digest, "")


def _encode(pixels: np.ndarray) -> bytes:
    encoded = BytesIO()
    Image.fromarray(pixels).save(encoded, "PNG", compress_level=1)
    return encoded.getvalue()


def _usable(
    results: Iterable[list[list[str]]],
    settings: ImageSettings,
    counts: Counter[str],
    faults: list[tuple[str, str]],
    drawn: bool,
) -> Iterator[list[str]]:
    """Yield the manifest rows as results come; count images by split, and gather sources and reasons of the others.

    Training images come first, so a test image that repeats one is known when it comes.

    Raises: DataError naming the unreadable training images as soon as they are too many.
    """
    train: set[bytes] = set()
    for rows in results:
        for *row, identity, fault in rows:
            if fault:
                faults.append((row[2], fault))
                continue
            split, digest = row[0], bytes.fromhex(identity)[:8]
            if split == "train":
                train.add(digest)
            elif split == "test" and digest in train:
                counts["in_train_and_test"] += 1
                if drawn:
                    continue
            counts[split] += 1
            counts["referenced"] += bool(row[4])
            yield row
        _check_skipped(faults, settings)


def _check_skipped(skipped: list[tuple[str, str]], settings: ImageSettings) -> None:
    if len(skipped) <= settings.skip_unreadable:
        return
    key, reasons = f"datasets.{settings.dataset}.skip_unreadable", [reason for _, reason in skipped]
    raise DataError(
        f"{len(skipped)} training images cannot be used so far, and {key} is {settings.skip_unreadable}:\n"
        f"{first_faults(reasons)}\nReplace or remove them and fetch again, or raise {key} in params.yaml."
    )
