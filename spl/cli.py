"""The command line: one command for a person, a Snakemake rule, DVC, `torchrun` and a cluster.

Heavy libraries are imported inside the commands, so that `--help` and the light commands start at once.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from spl import settings as slices
from spl.errors import SPLError
from spl.params import json_schema, load_params

app = typer.Typer(
    help="Reproduce SPL (IJCAI 2021). The workflow calls these commands: snakemake --cores all results/table1.csv",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
fetch = typer.Typer(help="Draw the miniature world, or find files that a person has supplied.", no_args_is_help=True)
prepare = typer.Typer(help="Turn raw files into prepared images, grouped masks and fixed pairs.", no_args_is_help=True)
app.add_typer(fetch, name="fetch")
weights_app = typer.Typer(help="Look at weight files, and convert what authors have released.", no_args_is_help=True)
app.add_typer(prepare, name="prepare")
app.add_typer(weights_app, name="weights")

ParamsFile = Annotated[Path, typer.Option("--params", help="The experiment.")]
DatasetName = Annotated[str, typer.Option("--dataset", help="A name under `datasets`.")]
MethodName = Annotated[str, typer.Option("--method", help="A name under `methods`.")]
Record = Annotated[Path, typer.Option(help="Where to write the record.")]
Source = Annotated[Path, typer.Option(help="The record that a fetch has left.")]
Folder = Annotated[Path, typer.Option(help="Folder to write; it is replaced as a whole.")]
Workers = Annotated[int, typer.Option(min=0, help="Parallel workers of this command.")]
Images = Annotated[Path, typer.Option(help="Manifest of prepared images.")]
Masks = Annotated[Path, typer.Option(help="Table of grouped masks.")]
Pairs = Annotated[Path, typer.Option(help="Table of image-mask pairs.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, ...; the GPU if there is one.")]

PARAMS = Path("params.yaml")
MASKS = Path("data/masks/masks.csv")
TEACHER = Path("results/teacher/weights.safetensors")


@fetch.command("images")
def fetch_images(dataset: DatasetName, record: Record, params: ParamsFile = PARAMS, workers: Workers = 1) -> None:
    """Fetch one dataset's raw pictures."""
    from spl.data import sources

    sources.fetch_images(slices.image_source_settings(load_params(params), dataset), record, workers=workers)


@fetch.command("masks")
def fetch_masks(record: Record, params: ParamsFile = PARAMS, workers: Workers = 1) -> None:
    """Fetch the raw irregular masks."""
    from spl.data import sources

    sources.fetch_masks(slices.mask_settings(load_params(params)), record, workers=workers)


@fetch.command("pretext")
def fetch_pretext(record: Record, params: ParamsFile = PARAMS, workers: Workers = 1) -> None:
    """Fetch what the teacher comes from: labelled pictures, or released weights."""
    from spl.data import sources

    sources.fetch_pretext(slices.pretext_settings(load_params(params)), record, workers=workers)


@prepare.command("images")
def prepare_images(
    dataset: DatasetName, source: Source, folder: Folder, params: ParamsFile = PARAMS, workers: Workers = 1
) -> None:
    """Crop, resize and store one dataset's pictures, with a manifest."""
    from spl.data import prepare as preparation

    preparation.prepare_images(slices.data_settings(load_params(params), dataset), source, folder, workers=workers)


@prepare.command("masks")
def prepare_masks(source: Source, folder: Folder, params: ParamsFile = PARAMS, workers: Workers = 1) -> None:
    """Binarise the masks and group them into six hole-ratio bins."""
    from spl.data import masks

    masks.group_masks(slices.mask_settings(load_params(params)), source, folder, workers=workers)


@prepare.command("pairs")
def prepare_pairs(
    dataset: DatasetName,
    images: Images,
    pairs: Pairs,
    record: Record,
    masks: Masks = MASKS,
    params: ParamsFile = PARAMS,
) -> None:
    """Draw the mask of every test image."""
    from spl.data import pairing

    pairing.pair_masks(slices.pair_settings(load_params(params), dataset), images, masks, pairs, record)


@prepare.command("structure")
def prepare_structure(
    dataset: DatasetName,
    images: Images,
    folder: Folder,
    params: ParamsFile = PARAMS,
    workers: Workers = 1,
) -> None:
    """Smooth one dataset's training pictures by relative total variation, for MFE."""
    from spl.data import structure

    settings = slices.structure_settings(load_params(params), dataset)
    structure.smooth_images(settings, images, folder, workers=workers)


@app.command("train-teacher")
def train_teacher(
    source: Source = Path("data/sources/teacher.json"),
    out: Annotated[Path, typer.Option(help="Folder for weights.safetensors and run.json.")] = TEACHER.parent,
    params: ParamsFile = PARAMS,
    device: Device = None,
) -> None:
    """Train the pretext network, or convert its released weights."""
    from spl.training import teacher
    from spl.training.distributed import World, pick_device

    world = World(0, 1, pick_device(device))
    settings = slices.teacher_settings(load_params(params))
    if not teacher.make_teacher(settings, source, out, world=world, should_stop=_stop_on_signal()):
        raise typer.Exit(143)


@app.command()
def train(
    dataset: DatasetName,
    method: MethodName,
    images: Annotated[Path | None, typer.Option(help="Manifest of prepared images.")] = None,
    masks: Masks = MASKS,
    teacher: Annotated[Path, typer.Option(help="The teacher's weights, for methods that need one.")] = TEACHER,
    structure: Annotated[Path | None, typer.Option(help="Folder of smoothed pictures, for MFE.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for weights, run record, log and samples.")] = None,
    params: ParamsFile = PARAMS,
    workers: Workers = 0,
    device: Device = None,
) -> None:
    """Train one method on one dataset, or convert the released weights that params.yaml names for it.

    A run that was stopped resumes. On several GPUs:

    torchrun --nproc-per-node 2 -m spl train --dataset paris --method spl
    """
    run = slices.run_settings(load_params(params), dataset, method)
    folder = out or Path(f"results/weights/{dataset}/{method}")
    if run.released:
        from spl.weights.convert import convert_released

        if os.environ.get("RANK", "0") == "0":  # under torchrun one process is enough
            convert_released(run, folder)
        return
    from spl.training.distributed import join_world
    from spl.training.run import Sources, train_method

    images = images or Path(f"data/prepared/{dataset}/manifest.csv")
    sources = Sources(images, masks, teacher, structure or images.parent / "structure")
    with join_world(device) as world:
        stop = _stop_on_signal()
        finished = train_method(run, sources, folder=folder, world=world, workers=workers, should_stop=stop)
    if not finished:
        raise typer.Exit(143)


@app.command()
def evaluate(
    dataset: DatasetName,
    method: MethodName,
    pairs: Annotated[Path | None, typer.Option(help="Table of image-mask pairs.")] = None,
    images: Annotated[Path | None, typer.Option(help="Manifest of prepared images.")] = None,
    masks: Masks = MASKS,
    weights: Annotated[Path | None, typer.Option(help="Folder of a finished run.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for per_image.csv and the filled pictures.")] = None,
    params: ParamsFile = PARAMS,
    device: Device = None,
) -> None:
    """Fill and measure every test image of a dataset."""
    from spl.evaluation.run import evaluate_method
    from spl.training.distributed import pick_device

    evaluate_method(
        slices.evaluation_settings(load_params(params), dataset, method),
        pairs=pairs or Path(f"data/pairs/{dataset}.csv"),
        images=images or Path(f"data/prepared/{dataset}/manifest.csv"),
        masks=masks,
        weights=weights or Path(f"results/weights/{dataset}/{method}"),
        folder=out or Path(f"results/eval/{dataset}/{method}"),
        device=pick_device(device),
    )


@app.command()
def table1(
    evidence: Annotated[Path, typer.Option(help="Folder of the per-image results.")] = Path("results/eval"),
    out: Annotated[Path, typer.Option(help="Folder for table1.csv, .md, .tex, .json and comparisons.csv.")] = Path(
        "results"
    ),
    params: ParamsFile = PARAMS,
) -> None:
    """Aggregate the per-image evidence into Table 1."""
    from spl.evaluation.write_table1 import write_table1

    write_table1(load_params(params), evidence, out)


@app.command()
def cost(
    out: Annotated[Path, typer.Option(help="The table to write.")] = Path("results/cost.csv"),
    params: ParamsFile = PARAMS,
    device: Device = None,
) -> None:
    """Measure parameters, multiplications, seconds per image and peak memory of every method."""
    from spl.evaluation.cost import write_costs
    from spl.training.distributed import pick_device

    write_costs(slices.cost_settings(load_params(params)), out, device=pick_device(device))


@app.command()
def examples(
    dataset: DatasetName,
    out: Annotated[Path, typer.Option(help="The picture to write.")],
    evidence: Annotated[Path, typer.Option(help="Folder of the per-image results.")] = Path("results/eval"),
    pairs: Annotated[Path | None, typer.Option(help="Table of image-mask pairs.")] = None,
    images: Annotated[Path | None, typer.Option(help="Manifest of prepared images.")] = None,
    masks: Masks = MASKS,
    params: ParamsFile = PARAMS,
) -> None:
    """Draw input, each method and ground truth for a few test images."""
    from spl.figures.examples import draw_examples

    draw_examples(
        slices.example_settings(load_params(params), dataset),
        evidence=evidence,
        pairs=pairs or Path(f"data/pairs/{dataset}.csv"),
        images=(images or Path(f"data/prepared/{dataset}/manifest.csv")).parent,
        masks=masks.parent,
        picture=out,
    )


@app.command()
def inpaint(
    image: Annotated[Path, typer.Option(help="The picture.")],
    mask: Annotated[Path, typer.Option(help="A picture of the same size that shows the hole.")],
    out: Annotated[Path, typer.Option(help="The filled picture to write.")],
    weights: Annotated[Path, typer.Option(help="Folder of a finished run, such as results/weights/paris/spl.")],
    hole: Annotated[str, typer.Option(help="Colour of missing pixels in the mask: white or black.")] = "white",
    device: Device = None,
) -> None:
    """Fill the hole of one picture of your own with a trained model.

    Example: spl inpaint --image wall.jpg --mask hole.png --weights results/weights/paris/spl --out filled.png
    """
    from spl.inpaint import fill_picture, load_inpainter
    from spl.training.distributed import pick_device

    if hole not in ("white", "black"):
        raise typer.BadParameter(f"{hole!r} is neither white nor black", param_hint="--hole")
    where = pick_device(device)
    inpainter, image_size = load_inpainter(weights, where)
    fill_picture(inpainter, image_size, image, mask, out, hole=hole, device=where)


@weights_app.command("inspect")
def inspect_weights(file: Annotated[Path, typer.Argument(help="A weight file, released or of this project.")]) -> None:
    """Tell what a weight file is and whether it fits; the exit status is 1 if it does not.

    Example: spl weights inspect checkpoint_paris.pth
    """
    from spl.weights.inspect import inspect_weights as look

    found = look(file)
    print(found.report)
    if not found.fits:
        raise typer.Exit(1)


@weights_app.command("convert")
def convert_weights(
    source: Annotated[Path, typer.Argument(help="The released file, or the folder of a checkpoint of several.")],
    dataset: DatasetName,
    method: MethodName,
    out: Annotated[Path, typer.Option(help="Folder for weights.safetensors and run.json; a run there is replaced.")],
    params: ParamsFile = PARAMS,
) -> None:
    """Convert released weights to safetensors, with a record of their origin that `spl inpaint` reads, too.

    Example: spl weights convert checkpoint_paris.pth --dataset paris --method rfr --params presets/paper.yaml
    --out weights/rfr
    """
    from spl.weights.convert import convert_released

    convert_released(slices.released_run(load_params(params), dataset, method, source), out)


@app.command()
def stale(
    stage: Annotated[str, typer.Argument(help="masks, data, teacher, train, evaluate or report")],
    params: ParamsFile = PARAMS,
) -> None:
    """List results whose record disagrees with params.yaml, for `snakemake --forcerun`."""
    from spl.stale import STAGES, stale_results

    if stage not in STAGES:
        raise typer.BadParameter(f"{stage!r} is not one of {', '.join(STAGES)}")
    print(" ".join(stale_results(load_params(params), stage)))


@app.command()
def schema() -> None:
    """Print the JSON Schema of params.yaml."""
    print(json_schema(), end="")


def _stop_on_signal() -> Callable[[int], bool]:
    """Return a question for the training loop: has SIGTERM or SIGINT asked to stop after the current step?"""
    asked = False

    def ask(*_: object) -> None:
        nonlocal asked
        asked = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
    return lambda step: asked


def main() -> None:
    """Run the command line; an error that a user can act on prints without a traceback."""
    try:
        app()
    except SPLError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)
