"""Filling one's own images."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from spl.cli import options as opt


def inpaint(
    image: Annotated[Path, typer.Option(help="The image, a folder, or a pattern such as 'photos/*.jpg'; - is stdin.")],
    mask: Annotated[Path, typer.Option(help="The mask, of the image's aspect ratio, or a folder or pattern of masks.")],
    out: Annotated[
        Path,
        typer.Option(
            help="The filled image: .png, .tif and .webp are the same outside the hole, .jpg nearly; - is stdout. Of "
            "several images a folder, or such as 'filled/*.jpg'."
        ),
    ],
    method: Annotated[
        Literal["telea", "navier_stokes", "biharmonic", "patchmatch"] | None,
        typer.Option(
            help="A fill without weights: telea or navier_stokes for scratches and small holes, biharmonic for smooth "
            "surfaces, patchmatch (pip install pypatchmatch) for texture."
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a finished run, such as results/weights/paris/spl/seed1: for structure, in images like "
            "those that it was trained on."
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="In place of --weights: miniature (SPL on drawn scenes), or such as miniature:paris/rn."),
    ] = None,
    hole: Annotated[
        Literal["white", "black", "transparent", "opaque"], typer.Option(help="What is missing in the mask.")
    ] = "white",
    strategy: Annotated[
        Literal["crop", "whole"], typer.Option(help="Fill each hole in a crop around it, or all in the whole image.")
    ] = "crop",
    context: Annotated[float, typer.Option(min=1.25, help="Side of a crop by that of its hole.")] = 2.0,
    grow: Annotated[int, typer.Option(min=0, help="Widen holes by so many pixels, and blend there.")] = 0,
    device: opt.Device = None,
) -> None:
    """Fill the holes of an image of your own, or of many images, by a classical fill or a trained network.

    Images and masks of folders or patterns have the same names but for the ending.

    Example: spl inpaint --image wall.jpg --mask hole.png --method telea --out filled.png
    """
    from spl.filling.files import fill_images, match_files
    from spl.filling.inpainter import load_inpainter

    if sum(choice is not None for choice in (method, weights, model)) != 1:
        raise typer.BadParameter(
            "expected one of --method NAME, --weights FOLDER and --model miniature[:DATASET/METHOD]"
        )
    if model and model.partition(":")[0] != "miniature":
        raise typer.BadParameter(f"{model!r} is not miniature[:DATASET/METHOD]", param_hint="--model")
    jobs = match_files(image, mask, out)
    inpainter = load_inpainter(method or weights or model or "", device)
    if model:
        print(f"{model} has seen drawn images only: on photographs --method telea is better", file=sys.stderr)
    fill_images(inpainter, jobs, hole=hole, strategy=strategy, context=context, grow=grow)
