"""Commands about masks."""

from pathlib import Path
from typing import Annotated

import typer

from spl.cli import options as opt

masks = typer.Typer(no_args_is_help=True)


@masks.callback()
def about() -> None:
    """Make irregular masks."""


@masks.command("generate")
def generate(
    count: Annotated[int, typer.Option(min=1, help="How many masks; a multiple of 12 fills all bins equally.")],
    out: Annotated[Path, typer.Option(help="Folder for the masks; those already there are kept.")],
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives other masks.")] = 1,
    size: Annotated[int, typer.Option(help="Side in pixels.")] = 512,
    workers: opt.Workers = 1,
) -> None:
    """Draw irregular masks, white = hole: equally over six hole ratios up to 60 %, half touching the border.

    Example: spl masks generate --count 12000 --out data/raw/training_masks --workers 8
    """
    from spl.data.generate_masks import generate_masks

    generate_masks(out, count=count, seed=seed, size=size, workers=workers)
