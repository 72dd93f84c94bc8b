"""Commands that train teachers and methods."""

from pathlib import Path
from typing import Annotated

import typer

from spl.cli import options as opt
from spl.config.load import load_params
from spl.config.methods import TrainedMethod
from spl.steps import paths
from spl.steps.settings import RunSettings, TeacherSettings, first_runs


def train_teacher(
    teacher: opt.TeacherName,
    source: opt.Source = paths.PRETEXT,
    out: opt.OutFolder = paths.TEACHER,
    params: opt.ParamsFile = opt.PARAMS,
    device: opt.Device = None,
) -> None:
    """Train a pretext network, convert a released one, or freeze a random one, as `teachers` says."""
    from spl.tensors.device import pick_device
    from spl.training.distributed import World
    from spl.training.train_teacher import make_teacher

    settings = TeacherSettings.of(load_params(params), teacher=teacher)
    world = World(0, 1, pick_device(device))
    if not make_teacher(settings, source, settings.at(out), world=world, should_stop=opt.stop_on_signal()):
        raise typer.Exit(143)


def train_method(
    dataset: opt.DatasetName,
    method: opt.MethodName,
    seed: opt.Seed = None,
    images: opt.Images = paths.IMAGES,
    masks: opt.Masks = paths.MASKS,
    teachers: opt.Teachers = paths.TEACHERS,
    structure: Annotated[Path, typer.Option(help="Folder of smoothed images, for MFE.")] = paths.STRUCTURE,
    out: opt.OutFolder = paths.WEIGHTS,
    params: opt.ParamsFile = opt.PARAMS,
    workers: opt.Workers = 0,
    nodes: Annotated[int, typer.Option(min=1, help="Nodes of this Slurm job that share the processes.")] = 1,
    device: opt.Device = None,
) -> None:
    """Train one method on one dataset with one seed, or convert the released weights that params.yaml names for it.

    A run that was stopped resumes. It starts as many processes as the method's `training.processes` says.
    """
    experiment = load_params(params)
    run = RunSettings.of(experiment, dataset=dataset, method=method, seed=seed)
    if run.released:
        from spl.released.convert import convert_released

        files = [file for each in first_runs(experiment) if each.method == method for file in each.released_files()]
        convert_released(run, run.at(out), others=files)
        return
    from spl.training.launch import launch

    assert isinstance(run.recipe, TrainedMethod)
    launch(run.recipe.training.processes, nodes=nodes)
    from spl.training.distributed import join_world
    from spl.training.train_method import Sources, train_method

    sources = Sources(run.at(images), masks, teachers, run.at(structure))
    with join_world(device) as world:
        stop = opt.stop_on_signal()
        finished = train_method(run, sources, folder=run.at(out), world=world, workers=workers, should_stop=stop)
    if not finished:
        raise typer.Exit(143)
