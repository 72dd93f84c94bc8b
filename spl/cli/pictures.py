"""Filling one's own pictures."""

from pathlib import Path
from typing import Annotated

import typer

from spl.cli.options import Device


def inpaint(
    image: Annotated[Path, typer.Option(help="The picture.")],
    mask: Annotated[Path, typer.Option(help="A picture of the same size that shows the hole.")],
    out: Annotated[Path, typer.Option(help="The filled picture to write.")],
    weights: Annotated[Path, typer.Option(help="Folder of a finished run, such as results/weights/paris/spl/seed1.")],
    hole: Annotated[str, typer.Option(help="Colour of missing pixels in the mask: white or black.")] = "white",
    device: Device = None,
) -> None:
    """Fill the hole of one picture of your own with a trained model.

    Example: spl inpaint --image wall.jpg --mask hole.png --weights results/weights/paris/spl/seed1 --out filled.png
    """
    from spl.inpaint import fill_picture, load_inpainter
    from spl.training.distributed import pick_device

    if hole not in ("white", "black"):
        raise typer.BadParameter(f"{hole!r} is neither white nor black", param_hint="--hole")
    where = pick_device(device)
    inpainter, image_size = load_inpainter(weights, where)
    fill_picture(inpainter, image_size, image, mask, out, hole=hole, device=where)
