"""The experiment, checked once, and the names that rules share."""

import os
import shutil

from spl.common.errors import ParamsError
from spl.config.experiment import guided_methods
from spl.config.load import load_params
from spl.config.registry import SOURCES, load_registry, source_of
from spl.config.releases import released_files
from spl.steps import report_slices, slices
from spl.steps.slices import canonical

# Commands read the parameter file, so what Snakemake knows must be what the file says. A file given by
# --configfile comes first and stands alone; nothing is merged.
if len(workflow.overwrite_configfiles) > 1:
    raise WorkflowError("--configfile takes one complete file here; several are not merged")
PARAMS = Path(workflow.configfiles[0])
SOURCES = Path(os.environ.get("SPL_SOURCES") or SOURCES)
try:
    params = load_params(PARAMS)
    registry = load_registry(SOURCES)
except ParamsError as error:
    raise WorkflowError(error)
if workflow.config_settings.config:
    raise WorkflowError(f"--config is not supported: change {PARAMS}, or name a complete file with --configfile")

DATASETS = list(params.datasets)
NETWORKS = params.network_methods
RUNS = list(params.runs())

MANY = 16  # threads for going through real pictures, as far as there are cores
# A training asks for a GPU only where there is one; the profile says how many may be used.
GPU = 1 if shutil.which("nvidia-smi") else 0

TEACHERS = expand("results/teachers/{teacher}/weights.safetensors", teacher=slices.needed_teachers(params))
WEIGHTS = [f"results/weights/{d}/{m}/seed{s}/weights.safetensors" for d, m, s in RUNS if m in NETWORKS]
PER_IMAGE = [f"results/eval/{d}/{m}/seed{s}/per_image.csv" for d, m, s in RUNS]
PERCEPTUAL = [f"results/perceptual/{d}/{m}/seed{s}.csv" for d, m, s in RUNS]
GUIDANCE = [f"results/guidance/{d}/{m}.safetensors" for d, m in guided_methods(params)]
DETECTIONS = expand(
    "results/detections/{dataset}/{pictures}.csv",
    dataset=params.detection.datasets if params.detection else [],
    pictures=["ground_truth", *params.table_methods],
)
PREPARED = expand("data/prepared/{dataset}/manifest.csv", dataset=DATASETS)
STRUCTURE = [
    f"data/prepared/{d}/structure/record.json"
    for d in DATASETS
    if any(slices.run_settings(params, d, m).structure for m in params.methods_of(d))
]
PAIRS = expand("data/pairs/{dataset}.csv", dataset=DATASETS)
EXAMPLES = expand("results/figures/examples_{dataset}.png", dataset=DATASETS)
PAPER_FIGURES = expand("results/figures/{name}.{form}", name=report_slices.drawn_figures(params), form=["pdf", "png"])


def evidence(datasets, methods):
    """Per-image results of all seeds of some methods on some datasets."""
    return [f"results/eval/{d}/{m}/seed{s}/per_image.csv" for d, m, s in RUNS if d in datasets and m in methods]


TABLE_EVIDENCE = evidence(DATASETS, params.table_methods)
ABLATIONS = report_slices.ablation_settings(params).table
ABLATION_EVIDENCE = evidence(ABLATIONS.datasets, ABLATIONS.methods)
REPORTED = [f"results/{t}.csv" for t in ("table1", "comparisons", "metrics", "figure4", "claims", "cost")]
REPORTED += ["results/grid.csv"] * bool(params.grid)


wildcard_constraints:
    dataset="|".join(DATASETS),
    method="|".join(params.methods),
    teacher="|".join(params.teachers) or "none",
    pictures="|".join(["ground_truth", *params.methods]),
    source="|".join(name for name, source in registry.items() if source.kind == "weights"),
    seed=r"\d+",


def params_file(wildcards, input):
    """Path of the parameter file. Taking `input` keeps Snakemake from comparing it: what counts is the content."""
    return str(PARAMS)


def sources_file(wildcards, input):
    """Path of the registry of sources; where a file was had from does not decide a result."""
    return str(SOURCES)


def many_if_real(wildcards):
    """Threads for going through the pictures of a dataset; the miniature world is small."""
    return 1 if params.datasets[wildcards.dataset].source.kind == "miniature" else MANY


def fetched(*files):
    """Records of the registry's weight files among some files. What the registry does not know is no input."""
    found = {source_of(registry, file) for file in files if file} - {None}
    return {"fetched": [f"data/sources/weights/{source}.json" for source in sorted(found)]} if found else {}


def teacher_sources(wildcards):
    """What a teacher is made from: labelled pictures if it is trained here, or a weight file."""
    teacher = slices.teacher_settings(params, wildcards.teacher)
    if teacher.pretext:
        return {"pretext": "data/sources/pretext.json"}
    return fetched(slices.supplied_teacher_file(teacher.teacher))


def run_sources(wildcards):
    """What a run is made from: data, and what its method learns from beside them.

    Weight files themselves are no inputs, as raw pictures are none: the graph can be seen without them, and results
    outlive them. Run records know their hashes.
    """
    run = slices.run_settings(params, wildcards.dataset, wildcards.method, int(wildcards.seed))
    if run.released:
        return fetched(*released_files(run.recipe.recipe, run.released.path))
    prepared = f"data/prepared/{wildcards.dataset}"
    sources = {"images": f"{prepared}/manifest.csv", "masks": "data/masks/masks.csv"}
    if run.teacher:
        sources["teacher"] = f"results/teachers/{run.teacher.name}/weights.safetensors"
    if run.structure:
        sources["structure"] = f"{prepared}/structure/record.json"
    return sources | fetched(slices.vgg_file(run))


def is_trained(wildcards):
    """Whether a run is trained here."""
    return slices.run_settings(params, wildcards.dataset, wildcards.method).released is None


def run_files(wildcards):
    """Weights and run record of a method with a network; nothing for a classical fill."""
    return _files(wildcards.dataset, wildcards.method, wildcards.seed)


def first_run_files(wildcards):
    """The same of a method's first seed."""
    return _files(wildcards.dataset, wildcards.method, params.seeds_of(wildcards.dataset, wildcards.method)[0])


def _files(dataset, method, seed):
    if method not in NETWORKS:
        return {}
    folder = f"results/weights/{dataset}/{method}/seed{seed}"
    return {"weights": f"{folder}/weights.safetensors", "run": f"{folder}/run.json"}


def filled_by(wildcards):
    """The method whose pictures are meant; None for the uncorrupted ones."""
    return None if wildcards.pictures == "ground_truth" else wildcards.pictures


def detection_sources(wildcards):
    """The detector, if it is one of the teachers, and the pictures of a method's first seed."""
    method = filled_by(wildcards)
    detector = slices.detection_settings(params, wildcards.dataset, method).detector
    sources = {}
    if hasattr(detector, "teacher"):
        sources["detector"] = f"results/teachers/{detector.name}/weights.safetensors"
    else:
        sources |= fetched(detector.path)
    if method:
        seed = params.seeds_of(wildcards.dataset, method)[0]
        sources["per_image"] = f"results/eval/{wildcards.dataset}/{method}/seed{seed}/per_image.csv"
    return sources


def figure_slice(name):
    """The settings of a figure as one canonical string; empty where the experiment does not have it."""
    return canonical(report_slices.FIGURES[name](params)) if name in report_slices.drawn_figures(params) else ""


def shown_in(name):
    """What a figure reads: an input function."""
    return lambda wildcards: report_slices.figure_files(params, name)
