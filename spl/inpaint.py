"""Inpainting of one's own images with a trained model."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from PIL import Image

from spl.common.errors import DataError
from spl.common.files import atomic
from spl.config.methods import ClassicalFill
from spl.data.images import read_rgb, resize_image
from spl.data.masks import read_mask
from spl.models.build import Inpainter, as_inpainter, load_generator
from spl.sources.raw_files import is_image
from spl.steps.records import read_settings, take
from spl.steps.settings import RunSettings
from spl.tensors.compositing import composite, quantise
from spl.tensors.loaders import to_image, to_mask


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
    generator = load_generator(run.recipe, weights, image_size=run.image_size, device=device)
    return as_inpainter(generator), run.image_size


class Job(NamedTuple):
    """An image, its mask, and the path of the filled image."""

    image: Path
    mask: Path
    out: Path


def match_files(image: Path, mask: Path, out: Path) -> list[Job]:
    """Return the image to fill, or those of a folder, each with the mask of its name in another.

    Raises: DataError if only one of the two is a folder, one holds no images, two have one name, or their names
        differ.
    """
    if not image.is_dir() and not mask.is_dir():
        return [Job(image, mask, out)]
    if not (image.is_dir() and mask.is_dir()):
        raise DataError(f"expected two files or two folders, got {image} and {mask}")
    images, masks = _by_name(image), _by_name(mask)
    if alone := sorted(images.keys() ^ masks.keys()):
        listed = ", ".join(str(images.get(name) or masks[name]) for name in alone[:5])
        raise DataError(
            f"{image} has {len(images)} images, {mask} has {len(masks)} masks; an image and its mask have the same "
            f"name but for the ending. Without a counterpart: {listed}{', …' if len(alone) > 5 else ''}"
        )
    return [Job(images[name], masks[name], out / f"{name}.png") for name in images]


def _by_name(folder: Path) -> dict[str, Path]:
    """Return the images in a folder by their names without the ending."""
    found: dict[str, Path] = {}
    for path in sorted(path for path in folder.iterdir() if is_image(path.name)):
        if path.stem in found:
            raise DataError(f"{found[path.stem]} and {path} have the same name but for the ending. Rename one.")
        found[path.stem] = path
    if not found:
        raise DataError(f"{folder} holds no images")
    return found


@torch.no_grad()
def fill_image(
    inpainter: Inpainter, image_size: int, image: Path, mask: Path, out: Path, *, hole: str, device: torch.device
) -> None:
    """Fill the hole of one image at the model's size and write the composite, at the image's own size.

    Outside the hole the result is the image, bit for bit; inside it is as sharp as the model's size allows.
    Raises: DataError if a file is unreadable, the sizes differ, the mask has no hole or `out` is not a PNG.
    """
    if out.suffix.lower() != ".png":
        raise DataError(f"{out}: expected a name ending in .png, since other formats would change the whole image.")
    pixels, missing = read_rgb(image), read_mask(mask, hole)
    if missing.shape != pixels.shape[:2]:
        raise DataError(
            f"{mask} is {missing.shape[1]} x {missing.shape[0]} pixels, {image} is {pixels.shape[1]} x "
            f"{pixels.shape[0]}. Both must have the same size."
        )
    if not missing.any() or missing.all():
        raise DataError(f"{mask}: {missing.mean():.0%} of the pixels are a hole ({hole}). Is --hole right?")
    # What is to be removed must not shine through: blank it first, and count every touched pixel as missing.
    small = to_image(resize_image(np.where(missing[..., None], 255, pixels).astype(np.uint8), image_size))
    covered = cv2.resize(missing.astype(np.float32), (image_size, image_size), interpolation=cv2.INTER_AREA) > 0
    small, small_mask = small[None].to(device), to_mask(covered)[None].to(device)
    output = inpainter(small, small_mask).clamp(0, 1)
    filled = quantise(composite(output, small, small_mask))[0].permute(1, 2, 0).cpu().numpy()
    height, width = missing.shape
    enlarged = np.asarray(Image.fromarray(filled).resize((width, height), Image.Resampling.BICUBIC))
    with atomic(out) as temporary:
        Image.fromarray(np.where(missing[..., None], enlarged, pixels)).save(temporary)
