"""Filling one's own images."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from spl.cli import options as opt


def inpaint(
    image: Annotated[Path, typer.Option(help="The image, or a folder of images.")],
    mask: Annotated[Path, typer.Option(help="The mask, as large as the image, or a folder of masks.")],
    out: Annotated[Path, typer.Option(help="The filled image to write, or a folder for filled images.")],
    weights: Annotated[
        Path | None, typer.Option(help="Folder of a finished run, such as results/weights/paris/spl/seed1.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="In place of --weights: miniature (SPL on drawn scenes), or such as miniature:paris/rn."),
    ] = None,
    hole: Annotated[str, typer.Option(help="Colour of missing pixels in the mask: white or black.")] = "white",
    device: opt.Device = None,
) -> None:
    """Fill the holes of an image of your own, or of a folder of images, with a trained model.

    In folders an image and its mask have the same name but for the ending.

    Example: spl inpaint --image wall.jpg --mask hole.png --model miniature --out filled.png
    """
    from spl.inpaint import fill_images, find_miniature, load_inpainter, match_files
    from spl.tensors.device import pick_device

    if hole not in ("white", "black"):
        raise typer.BadParameter(f"{hole!r} is neither white nor black", param_hint="--hole")
    name, _, run = (model or "").partition(":")
    if (weights is None) == (model is None) or (model and name != "miniature"):
        raise typer.BadParameter("expected either a folder as --weights, or --model miniature[:DATASET/METHOD]")
    if weights is None:
        weights = find_miniature(run or "places2/spl")
        print(f"miniature: {weights}", file=sys.stderr)
    jobs, where = match_files(image, mask, out), pick_device(device)
    inpainter, image_size = load_inpainter(weights, where)
    fill_images(inpainter, image_size, jobs, hole=hole, device=where)
