"""Inpainting of one's own images with a trained model."""

import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from PIL import Image

from spl.common.errors import DataError
from spl.common.files import atomic
from spl.common.names import is_hidden, is_image, plain_path
from spl.common.printed import count
from spl.common.progress import progress
from spl.config.methods import ClassicalFill
from spl.data.images import first_faults, load_opaque, read_file, resize_image, to_rgb
from spl.data.masks import ratio_bin, read_mask
from spl.data.metadata import kept_metadata
from spl.models.build import Inpainter, load_method
from spl.steps import paths
from spl.steps.records import read_settings, take
from spl.steps.settings import RunSettings, TableSettings
from spl.tensors.compositing import composite, quantise
from spl.tensors.loaders import to_image, to_mask


def find_miniature(run: str) -> Path:
    """Return the folder of a network of the miniature world, such as paris/rn.

    It is looked for in results/, then in a release in dist/, then in the user's cache.
    Raises: DataError if none has it.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "spl"
    places, there = (paths.RESULTS, paths.RELEASE, cache), dict[str, Path]()
    for place in places:
        there = _miniature_runs(place) | there
        if run in there:
            return there[run]
    raise DataError(
        f"miniature:{run} is in none of {', '.join(map(str, places))}, which have {', '.join(there) or 'no networks'}. "
        "Run in a clone of this repository: make table1; or copy a release into the last of these folders."
    )


def _miniature_runs(place: Path) -> dict[str, Path]:
    """Return the folders of networks that were trained on drawn images, by data set and method."""
    if not (place / "table1.json").is_file():
        return {}
    settings = read_settings(place / "table1.json", TableSettings)
    drawn = [name for name, dataset in settings.datasets.items() if dataset.source.kind == "miniature"]
    runs = [f"{dataset}/{method}" for dataset in drawn for method in settings.methods]
    folders = {run: place / f"weights/{run}/seed{settings.seeds[0]}" for run in runs}
    return {run: folder for run, folder in folders.items() if folder.is_dir()}


def load_inpainter(weights: Path, device: torch.device) -> tuple[Inpainter, int]:
    """Load a finished run; return its inpainter and the side of its square training images in pixels.

    Raises: DataError if there is no run, RecordError if it is none of this version.
    """
    if not (weights / "run.json").is_file():
        raise DataError(
            f"{weights} is not the folder of a finished run (weights.safetensors, run.json). Train one, or convert "
            "released weights: spl weights convert FILE --method rfr --dataset paris --params presets/paper.yaml "
            "--out FOLDER"
        )
    run = read_settings(weights / "run.json", RunSettings)
    assert not isinstance(run.recipe, ClassicalFill)
    take(weights=weights / "weights.safetensors")
    return load_method(run.recipe, weights, image_size=run.image_size, device=device), run.image_size


class Job(NamedTuple):
    """An image, its mask, and the path of the filled image."""

    image: Path
    mask: Path
    out: Path


def match_files(image: Path, mask: Path, out: Path) -> list[Job]:
    """Return the image to fill, or those of a folder, each with the mask of its name in another.

    Raises: DataError if only one of the two is a folder, one holds no images, two have one name, their names differ,
        or a filled image would be no PNG, or would replace an image or a mask.
    """
    if image.is_dir() != mask.is_dir():
        raise DataError(f"expected two files or two folders, got {image} and {mask}")
    if out.exists() and out.is_dir() != image.is_dir():
        raise DataError(f"expected two files or two folders, got {image} and --out {out}")
    jobs = _match_folders(image, mask, out) if image.is_dir() else [Job(image, mask, out)]
    inputs = {_identity(path) for job in jobs for path in (job.image, job.mask)} - {None}
    for job in jobs:
        if job.out.suffix.lower() != ".png":
            raise DataError(f"{job.out}: expected a name ending in .png; other formats would change the whole image.")
        if _identity(job.out) in inputs:
            raise DataError(f"{job.out} is an image or a mask to read, and would be replaced. Choose another --out.")
    return jobs


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from all others, whatever path leads to it; None if there is no file."""
    status = path.stat() if path.exists() else None
    return status and (status.st_dev, status.st_ino)


def _match_folders(image: Path, mask: Path, out: Path) -> list[Job]:
    images, masks = _by_name(image), _by_name(mask)
    if alone := sorted(images.keys() ^ masks.keys()):
        listed = ", ".join(str(images.get(name) or masks[name]) for name in alone[:5])
        raise DataError(
            f"{image} has {len(images)} images, {mask} has {len(masks)} masks; an image and its mask have the same "
            f"name but for the ending. Without a counterpart: {listed}{', …' if len(alone) > 5 else ''}"
        )
    return [Job(images[name], masks[name], out / f"{images[name].stem}.png") for name in images]


def _by_name(folder: Path) -> dict[str, Path]:
    """Return the images in a folder by their names without the ending; tell what else there is."""
    found: dict[str, Path] = {}
    paths = sorted(path for path in folder.iterdir() if not is_hidden(path.name))
    for path in filter(lambda path: is_image(path.name), paths):
        name = plain_path(path.stem)
        if name in found:
            raise DataError(f"{found[name]} and {path} have the same name but for the ending. Rename one.")
        found[name] = path
    if others := [path.name for path in paths if not is_image(path.name)]:
        print(f"{folder}: {len(others)} without an image's ending are left out, first {others[0]}", file=sys.stderr)
    if not found:
        raise DataError(f"{folder} holds no images")
    return found


def fill_images(inpainter: Inpainter, image_size: int, jobs: Sequence[Job], *, hole: str, device: torch.device) -> None:
    """Fill images; tell how many, where they are, and what of their files could not be kept.

    Raises: DataError naming the images that could not be filled, when the others are.
    """
    faults, changes = list[str](), Counter[str]()
    for job in progress(jobs, what="fill", unit="image"):
        try:
            changes.update(fill_image(inpainter, image_size, *job, hole=hole, device=device))
        except DataError as error:
            faults.append(str(error))
    if changes:
        told = "; ".join(f"{change} ({count(number, 'image')})" for change, number in changes.items())
        print(f"not as in the files: {told}", file=sys.stderr)
    if faults:
        summary = f"filled {len(jobs) - len(faults)} of {len(jobs)} images; not filled:\n{first_faults(faults)}"
        raise DataError(summary if len(jobs) > 1 else faults[0])
    where = jobs[0].out if len(jobs) == 1 else jobs[0].out.parent
    print(f"filled {count(len(jobs), 'image')}: {where}", file=sys.stderr)


@torch.no_grad()
def fill_image(
    inpainter: Inpainter, image_size: int, image: Path, mask: Path, out: Path, *, hole: str, device: torch.device
) -> list[str]:
    """Fill the hole of one image at the model's size and write the composite, at the image's own size.

    Outside the hole the result is the image as it is decoded, bit for bit; inside it is as sharp as the model's size
    allows, and grey if everything outside is. Returns what could not be kept, a clause each.
    Raises: DataError if a file is unreadable, the sizes differ, or the hole is none or over 60 % of the image.
    """
    decoded, missing = load_opaque(read_file(image), image), read_mask(mask, hole)
    pixels = to_rgb(decoded)
    if missing.shape != pixels.shape[:2]:
        sizes = [" x ".join(map(str, shape[1::-1])) for shape in (missing.shape, pixels.shape)]
        turned = decoded.info["stored"].size == missing.shape[::-1]
        remedy = "Turn the mask as the image's EXIF turns the image." if turned else "Both must have the same size."
        raise DataError(f"{mask} is {sizes[0]} pixels, {image} is {sizes[1]}. {remedy}")
    if ratio_bin(missing.mean()) is None:
        share = f"{missing.mean():.1%} of the pixels are a hole ({hole})"
        raise DataError(f"{mask}: {share}; expected more than none and at most 60 %. Is --hole right?")
    # What is to be removed must not shine through: blank it first, and count every touched pixel as missing.
    small = to_image(resize_image(np.where(missing[..., None], 255, pixels).astype(np.uint8), image_size))
    covered = cv2.resize(missing.astype(np.float32), (image_size, image_size), interpolation=cv2.INTER_AREA) > 0
    small, small_mask = small[None].to(device), to_mask(covered)[None].to(device)
    output = inpainter(small, small_mask).clamp(0, 1)
    filled = quantise(composite(output, small, small_mask))[0].permute(1, 2, 0).cpu().numpy()
    known, fill = pixels[~missing], Image.fromarray(filled)
    fill = fill.convert("L").convert("RGB") if (known == known[:, :1]).all() else fill
    enlarged = np.asarray(fill.resize(decoded.size, Image.Resampling.BICUBIC))
    mode = "RGB" if decoded.mode == "RGB" else "L"
    whole = Image.fromarray(np.where(missing[..., None], enlarged, pixels)).convert(mode)
    options, changes = kept_metadata(decoded, mode)
    with atomic(out) as temporary:
        whole.save(temporary, **options)
    return changes
