"""The command that says what an experiment will take."""

import os
from typing import Annotated

import typer

from spl.cli import options as opt
from spl.common.files import atomic, frozen_copy
from spl.config.load import load_params
from spl.config.registry import SOURCES, load_registry
from spl.steps.paths import PLANS


def plan(
    params: opt.ParamsFile = opt.PARAMS,
    registry: opt.SourcesFile = SOURCES,
    device: Annotated[
        str | None, typer.Option(envvar="SPL_DEVICE", help="A device of spl/planning/devices.csv.")
    ] = None,
    measure: Annotated[bool, typer.Option("--measure", help="Time a few real steps on this machine first.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="A row for each job, as its rule asks for it.")] = False,
) -> None:
    """Show the hours, memory and disk that an experiment takes, by data set and method.

    Example: spl plan --params presets/paper.yaml --device "NVIDIA H200"
    """
    import torch

    from spl.inventory.status import without_missing
    from spl.planning.devices import planned_device
    from spl.planning.graph import all_jobs
    from spl.planning.plan import Planner
    from spl.planning.show import render, tabulate

    known = load_registry(registry)
    experiment = without_missing(load_params(params), known)
    found = planned_device(experiment, device)
    torch.set_num_threads(experiment.threads)  # of what is timed
    planner = Planner(experiment, known, found, timed=measure)
    jobs = [planner.plan(job) for job in all_jobs(params, on_gpus=found.kind == "gpu")]
    source = "steps timed on this machine" if measure else found.source
    cores, table = len(os.sched_getaffinity(0)), tabulate(jobs).to_csv(index=False)
    with atomic(frozen_copy(params, PLANS).with_name("plan.csv")) as temporary:  # for the rules, and for the report
        temporary.write_text(table, encoding="utf-8")
    print(table if as_csv else render(jobs, device=f"{found.name} ({source})", cores=cores))
