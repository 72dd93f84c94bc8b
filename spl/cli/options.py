"""Options that several commands share."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

SourcesFile = Annotated[
    Path,
    typer.Option(
        "--sources",
        envvar="SPL_SOURCES",
        help="The registry of sources, with their mirrors.",
        show_default="that of the package",
    ),
]
Timeout = Annotated[
    float, typer.Option(envvar="SPL_DOWNLOAD_TIMEOUT", min=0.1, help="Seconds that a silent server is waited for.")
]
ParamsFile = Annotated[Path, typer.Option("--params", help="The experiment.")]
DatasetName = Annotated[str, typer.Option("--dataset", help="A name under `datasets`.")]
MethodName = Annotated[str, typer.Option("--method", help="A name under `methods`.")]
TeacherName = Annotated[str, typer.Option("--teacher", help="A name under `teachers`.")]
Seed = Annotated[int | None, typer.Option("--seed", help="One of `seeds`; the first if not given.")]
Source = Annotated[Path, typer.Option("--source", help="The record that a fetch has left.")]
Images = Annotated[Path, typer.Option("--images", help="Manifest of prepared images.")]
Masks = Annotated[Path, typer.Option("--masks", help="Table of grouped masks.")]
Pairs = Annotated[Path, typer.Option("--pairs", help="Table of image-mask pairs.")]
Teachers = Annotated[Path, typer.Option("--teachers", help="Folder of the teachers, for what needs one.")]
RunFolder = Annotated[Path, typer.Option("--weights", help="Folder of a finished run.")]
Evaluation = Annotated[Path, typer.Option("--evaluation", help="Folder with per_image.csv and the filled images.")]
Data = Annotated[Path, typer.Option("--data", help="Folder of prepared images, masks and pairs.")]
Results = Annotated[Path, typer.Option("--results", help="Folder of all results.")]
Out = Annotated[Path, typer.Option("--out", help="The file to write; what belongs to it is written beside it.")]
OutFolder = Annotated[Path, typer.Option("--out", help="Folder to write; it is replaced as a whole.")]
Workers = Annotated[int, typer.Option("--workers", min=0, help="Parallel workers of this command.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, ...; the GPU if there is one.")]
Fetch = Annotated[bool, typer.Option("--fetch", help="Fetch the --model, once, without asking.", show_default=False)]

PARAMS = Path("params.yaml")
TIMEOUT = 60.0


def consent() -> bool:
    """Ask the person at the terminal whether to fetch, if there is one; standard output may be the filled image."""
    if not sys.stdin.isatty():
        return False
    print("Fetch it? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def stop_on_signal() -> Callable[[int], bool]:
    """Return a question for the training loop: has SIGTERM or SIGINT asked to stop after the current step?"""
    asked = False

    def ask(*_: object) -> None:
        nonlocal asked
        asked = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
    return lambda step: asked
