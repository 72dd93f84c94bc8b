"""The experiment, checked and frozen; the files that targets are made of."""

import csv
import json
import os
import shutil
import subprocess
import sys
from functools import cache

import yaml
from snakemake.common.tbdstring import TBDString
from snakemake.resources import Resource

from spl.common.errors import ParamsError
from spl.common.files import frozen_copy
from spl.common.gpus import SLOTS, list_gpus
from spl.config.experiment import Shown
from spl.config.grid import grid_points
from spl.config.load import load_params
from spl.config.registry import SOURCES, load_registry, source_of
from spl.config.teachers import TeacherDetector, TorchvisionDetector
from spl.inventory.status import without_missing
from spl.steps.paths import PLANS
from spl.steps.settings import (
    STEPS,
    RunSettings,
    TeacherSettings,
    canonical,
    drawn_figures,
    needed_teachers,
    supplied_teacher_file,
)

# Commands ----------------------------------------------------------------------------------------
# `python` in a rule is the interpreter that runs Snakemake, wherever that was called from, and `spl` the package beside
# the Snakefile; nothing is imported from the working directory, which holds downloaded files.
for path, first in {"PATH": Path(sys.executable).parent, "PYTHONPATH": workflow.basedir}.items():
    os.environ[path] = os.pathsep.join(filter(None, [str(first), os.environ.get(path)]))
os.environ |= {"PYTHONSAFEPATH": "1"}
# A scheduler asks all processes of a job to stop at once: the shell waits for the command, which saves its state.
shell.prefix("trap : TERM; set -euo pipefail; ")

# The experiment ----------------------------------------------------------------------------------
# Commands read copies that nobody edits, so a change of params.yaml during a run changes nothing of that run. Jobs that
# Snakemake starts elsewhere parse this file anew: they find the copies by these two variables.


def plan(file, sources):
    """Copy the parameter file, with what has to be left out below it, and print that."""
    params = load_params(file)
    lacks = without_missing(params, load_registry(sources)).left_out
    for name, why in lacks.items():
        print(f"left out: {name}: {why} (spl status tells how to get it)", file=sys.stderr)
    is_new = lacks and not params.left_out
    return frozen_copy(file, PLANS, more=f"\nleft_out: {json.dumps(lacks)}\n" if is_new else "")


if "SPL_PLAN" not in os.environ:
    # `workflow.configfiles` is not documented, hence snakemake<10 in pyproject.toml.
    if len(workflow.configfiles) != 1 or yaml.safe_load(Path(workflow.configfiles[0]).read_bytes()) != config:
        raise WorkflowError("--config is not supported, nor are several files: change the parameter file")
    sources = frozen_copy(os.environ.get("SPL_SOURCES") or SOURCES, PLANS)
    os.environ["SPL_SOURCES"] = str(sources)
    try:
        os.environ["SPL_PLAN"] = str(plan(workflow.configfiles[0], sources))
    except ParamsError as error:
        raise WorkflowError(error)
PARAMS = Path(os.environ["SPL_PLAN"])
SOURCES = Path(os.environ["SPL_SOURCES"])
params, registry = load_params(PARAMS, shown=workflow.configfiles[0]), load_registry(SOURCES)


envvars:
    "SPL_PLAN",
    "SPL_SOURCES",


def params_file(wildcards, input):
    """The copy of the parameter file. Taking `input` keeps Snakemake from comparing it: what counts is in the settings."""
    return str(PARAMS)


def sources_file(wildcards, input):
    """The copy of the registry of sources; where a file was had from decides no result."""
    return str(SOURCES)


def settings_of(step, **more):
    """Return what a step depends on, as a function of wildcards: a changed value runs its job again."""
    named = lambda w: {name: int(value) if name == "seed" else value for name, value in w.items() if name != "epoch"}
    return lambda wildcards: canonical(STEPS[step].of(params, **named(wildcards), **more))


# Files -------------------------------------------------------------------------------------------
DATASETS, NETWORKS, RUNS = list(params.datasets), params.network_methods, list(params.runs())
THREADS = params.threads
SEARCHED, DETECTOR = (params.detection.datasets, params.detection.detector) if params.detection else ([], None)
SMOOTHED = [
    d for d in DATASETS if any(RunSettings.of(params, dataset=d, method=m).structure for m in params.methods_of(d))
]

TEACHERS = expand("results/teachers/{teacher}/weights.safetensors", teacher=needed_teachers(params))
WEIGHTS = [f"results/weights/{d}/{m}/seed{s}/weights.safetensors" for d, m, s in RUNS if m in NETWORKS]
PER_IMAGE = [f"results/eval/{d}/{m}/seed{s}/per_image.csv" for d, m, s in RUNS]
PERCEPTUAL = [f"results/perceptual/{d}/{m}/seed{s}.csv" for d, m, s in RUNS if params.evaluation.perceptual.metrics]
PRIORS = [f"results/priors/{d}/{m}.safetensors" for d, m in (params.figures.priors() if params.figures else [])]
DETECTIONS = expand("results/detections/{dataset}/ground_truth.csv", dataset=SEARCHED)
PREPARED = expand("data/prepared/{dataset}/manifest.csv", dataset=DATASETS)
STRUCTURE = expand("data/structure/{dataset}/manifest.csv", dataset=SMOOTHED)
PAIRS = expand("data/pairs/{dataset}.csv", dataset=DATASETS)
EXAMPLES = expand("results/figures/examples_{dataset}.png", dataset=DATASETS if params.figures else [])
FIGURES = expand("results/figures/{figure}.{form}", figure=drawn_figures(params), form=["pdf", "png"])
REPORTED = expand(
    "results/{table}.csv",
    table=["table1", "comparisons", "further_metrics", "ablations", "claims", "cost"] + ["grid"] * bool(params.grid),
)


def evaluated(datasets, methods):
    """Per-image results of all seeds of some methods on some datasets."""
    return [f"results/eval/{d}/{m}/seed{s}/per_image.csv" for d, m, s in RUNS if d in datasets and m in methods]


def first(pattern, cells):
    """A file of the first run of every (dataset, method) that is not left out."""
    cells = [(d, m) for d, m in cells if not params.absent(d, m)]
    seeds = [params.seeds_of(d, m)[0] for d, m in cells]
    return list(dict.fromkeys(pattern.format(dataset=d, method=m, seed=s) for (d, m), s in zip(cells, seeds)))


def fetched(*files):
    """Records of the registry's weight files among some files; what the registry does not know is no input.

    Weight files themselves are none either: the graph can be seen without them. Records know their hashes.
    """
    found = {source_of(registry, file) for file in files if file} - {None}
    return [f"data/sources/weights/{source}.json" for source in sorted(found)]


@cache
def _run(dataset, method, seed):
    return RunSettings.of(params, dataset=dataset, method=method, seed=int(seed))


def run_of(wildcards):
    """The run that wildcards name."""
    return _run(wildcards.dataset, wildcards.method, wildcards.seed)


def processes_of(wildcards):
    """Processes of a training; released weights need one."""
    training = getattr(run_of(wildcards).recipe, "training", None)
    return training.processes if training else 1


def teacher_of(wildcards):
    """The teacher that a wildcard names."""
    return TeacherSettings.of(params, teacher=wildcards.teacher)


def teacher_file(teacher):
    """Weights of a teacher by its name."""
    return f"results/teachers/{teacher}/weights.safetensors"


def weights_of(dataset, method, seed):
    """Weights of a run; a classical fill has none."""
    return f"results/weights/{dataset}/{method}/seed{seed}/weights.safetensors" if method in NETWORKS else []


def weights_folder(wildcards, input):
    """The folder of a run's weights: at its end, or after the epoch that a wildcard names."""
    folder = f"results/weights/{wildcards.dataset}/{wildcards.method}/seed{wildcards.seed}"
    return f"{folder}/epoch{wildcards.epoch}" if "epoch" in wildcards.keys() else folder


def shown_in(wildcards):
    """Contents of a figure."""
    return params.figures.shown().get(wildcards.figure, Shown())


wildcard_constraints:
    dataset="|".join(DATASETS),
    method="|".join(params.methods),
    teacher="|".join(params.teachers) or "none",
    seed=r"\d+",
    epoch=r"\d+",


# Machines ----------------------------------------------------------------------------------------
MANY = 16  # threads for going through real images, as far as there are cores
LOADERS = 4  # processes or threads that load data for a network on a GPU
# A job asks for a GPU where there is one, or where --resources or a profile says how many may be used; else that is 1.
if "gpu" in workflow.global_resources:
    GPU = 1 if workflow.global_resources["gpu"].value else 0
    if workflow.local_exec and workflow.is_main_process:
        os.environ.setdefault(SLOTS, ",".join(list_gpus()))
else:
    GPU = 1 if shutil.which("nvidia-smi") else 0
    workflow.register_resource("gpu", Resource("gpu", 1))


# What `spl plan` says is what jobs ask for. A plan takes some seconds: it is made where somebody asks for memory or time,
# a cluster or --resources; else these are unknown, unless there is one already.


def on_cluster():
    """Whether jobs are sent away: only then has Snakemake default resources of its own, in a dry run too."""
    return workflow.resource_settings.default_resources is not None


@cache
def planned():
    """Rows of the plan by rule and wildcards; jobs that run elsewhere read what the main process has made."""
    file = PARAMS.with_name("plan.csv")
    asked = on_cluster() or {"mem_mb", "runtime"} & workflow.global_resources.keys()
    if asked and not (workflow.remote_exec and file.exists()):
        spl_plan = [sys.executable, "-m", "spl", "plan", "--csv", "--params", PARAMS, "--sources", SOURCES]
        subprocess.run(spl_plan, stdout=subprocess.DEVNULL, check=True)
    if not asked and not file.exists():
        return {}
    with file.open(newline="", encoding="utf-8") as rows:
        return {(row["rule"], row["wildcards"]): row for row in csv.DictReader(rows)}


def row_of(wildcards, rule):
    """The row of a job in the plan, if there is a plan; after some epochs a training is evaluated as at its end."""
    named = " ".join(f"{name}={value}" for name, value in sorted(wildcards.items()) if name != "epoch")
    return planned().get((rule.replace("epoch", "method"), named))


def memory(wildcards, attempt, rulename):
    """Megabytes to ask for, more with every attempt."""
    row = row_of(wildcards, rulename)
    return attempt * int(row["mem_mb"]) if row else TBDString()


def minutes(wildcards, attempt, rulename):
    """Minutes to ask for, more with every attempt."""
    row = row_of(wildcards, rulename)
    return attempt * int(row["runtime"]) if row else TBDString()


def gpus(wildcards, rulename):
    """GPUs of a job: on a cluster as planned, here one for each process of a network."""
    if on_cluster():
        return int(row_of(wildcards, rulename)["gpu"])
    idle = rulename in ("train_method", "evaluate_method") and wildcards.method not in NETWORKS
    if idle or (rulename == "train_method" and run_of(wildcards).released):
        return 0
    return GPU * (processes_of(wildcards) if rulename == "train_method" else 1)


def many_if_real(wildcards):
    """Threads for going through the images of a dataset; the miniature world is small."""
    return 1 if params.datasets[wildcards.dataset].source.kind == "miniature" else MANY


def cores(wildcards, rulename):
    """Threads of a job with a method: of arithmetic, and where that leaves cores free, further ones for the images."""
    if on_cluster():
        return int(row_of(wildcards, rulename)["threads"])
    if rulename == "evaluate_method" and wildcards.method not in NETWORKS:
        return max(THREADS, many_if_real(wildcards))
    processes = processes_of(wildcards) if rulename == "train_method" else 1
    return THREADS * processes + LOADERS * gpus(wildcards, rulename)
