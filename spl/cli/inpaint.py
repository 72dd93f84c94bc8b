"""Filling one's own images."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from spl.cli import options as opt


def inpaint(
    image: Annotated[Path, typer.Option(help="The image, a folder, or a pattern such as 'photos/*.jpg'; - is stdin.")],
    mask: Annotated[Path, typer.Option(help="The mask, of the image's aspect ratio, or a folder or pattern of masks.")],
    out: Annotated[Path, typer.Option(help="A .png, .tif, .webp or .jpg to write; a folder of PNG; - is stdout.")],
    method: Annotated[
        Literal["telea", "navier_stokes", "biharmonic", "patchmatch"] | None,
        typer.Option(help="For scratches and small holes telea, for smooth areas biharmonic, for texture patchmatch."),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(help="For structure, in images like those of its training: folder of a finished run, or .onnx."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="For structure in photographs big-lama or migan; miniature[:paris/rn] has seen drawn images."
        ),
    ] = None,
    fetch: opt.Fetch = False,
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

    Example: spl inpaint --image street.jpg --mask car.png --model big-lama --out filled.png
    """
    from spl.filling.files import fill_images, match_files
    from spl.filling.inpainter import load_inpainter
    from spl.filling.pretrained import PRETRAINED

    one = sum(choice is not None for choice in (method, weights, model)) == 1
    is_miniature = model and model.partition(":")[0] == "miniature"
    if not one or (model and not is_miniature and model not in PRETRAINED):
        models = ", ".join([*PRETRAINED, "miniature[:DATASET/METHOD]"])
        raise typer.BadParameter(f"expected one of --method NAME, --weights FOLDER, --model {models}")
    jobs = match_files(image, mask, out)
    inpainter = load_inpainter(method or weights or model or "", device, fetch=fetch or opt.consent)
    if is_miniature:
        print(f"{model} has seen drawn images only: on photographs --method telea is better", file=sys.stderr)
    elif model:
        print(f"{model} was trained by its authors on photographs of places (Places2)", file=sys.stderr)
    fill_images(inpainter, jobs, hole=hole, strategy=strategy, context=context, grow=grow)
