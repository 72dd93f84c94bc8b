"""Commands that train teachers and methods."""

import os
from pathlib import Path
from typing import Annotated

import typer

from spl.cli.options import (
    DATA,
    MASKS,
    PARAMS,
    RESULTS,
    AnyImages,
    DatasetName,
    Device,
    Masks,
    MethodName,
    ParamsFile,
    Seed,
    Source,
    TeacherName,
    Workers,
    stop_on_signal,
)
from spl.config.load import load_params
from spl.steps import slices

TEACHERS = RESULTS / "teachers"


def train_teacher(
    teacher: TeacherName,
    source: Source = DATA / "sources/pretext.json",
    out: Annotated[Path | None, typer.Option(help="Folder for weights.safetensors and run.json.")] = None,
    params: ParamsFile = PARAMS,
    device: Device = None,
) -> None:
    """Train a pretext network, convert a released one, or freeze a random one, as `teachers` says."""
    from spl.tensors.device import pick_device
    from spl.training.distributed import World
    from spl.training.train_teacher import make_teacher

    world = World(0, 1, pick_device(device))
    settings, folder = slices.teacher_settings(load_params(params), teacher), out or RESULTS / "teachers" / teacher
    if not make_teacher(settings, source, folder, world=world, should_stop=stop_on_signal()):
        raise typer.Exit(143)


def train(
    dataset: DatasetName,
    method: MethodName,
    seed: Seed = None,
    images: AnyImages = None,
    masks: Masks = MASKS,
    teachers: Annotated[Path, typer.Option(help="Folder of the teachers, for methods that need one.")] = TEACHERS,
    structure: Annotated[Path | None, typer.Option(help="Folder of smoothed pictures, for MFE.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for weights, run record, log and samples.")] = None,
    params: ParamsFile = PARAMS,
    workers: Workers = 0,
    device: Device = None,
) -> None:
    """Train one method on one dataset with one seed, or convert the released weights that params.yaml names for it.

    A run that was stopped resumes. On several GPUs:

    torchrun --nproc-per-node 2 -m spl train --dataset paris --method spl
    """
    run = slices.run_settings(load_params(params), dataset, method, seed)
    folder = out or RESULTS / f"weights/{dataset}/{method}/seed{run.seed}"
    if run.released:
        from spl.released.convert import convert_released

        if os.environ.get("RANK", "0") == "0":  # under torchrun one process is enough
            convert_released(run, folder)
        return
    from spl.training.distributed import join_world
    from spl.training.train_method import Sources, train_method

    images = images or DATA / f"prepared/{dataset}/manifest.csv"
    sources = Sources(images, masks, teachers, structure or images.parent / "structure")
    with join_world(device) as world:
        stop = stop_on_signal()
        finished = train_method(run, sources, folder=folder, world=world, workers=workers, should_stop=stop)
    if not finished:
        raise typer.Exit(143)
