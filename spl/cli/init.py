"""Commands that begin an experiment."""

from pathlib import Path
from typing import Annotated

import typer

init = typer.Typer(no_args_is_help=True)


@init.callback()
def about() -> None:
    """Write the parameter file of an experiment of one's own."""


@init.command("photos")
def init_photos(
    images: Annotated[Path, typer.Option(help="The folder of photographs; it is only read.")],
    out: Annotated[Path, typer.Option(help="The parameter file to write.")] = Path("photos.yaml"),
) -> None:
    """Fit presets/photos.yaml to your folder of photographs and to this machine, and print the next command.

    Example: spl init photos --images ~/Pictures/garden
    """
    from spl.inventory.photos import init_photos as fit

    print(fit(images, out))
