"""The experiment, checked once, and the names that rules share."""

import shutil

from spl import settings
from spl.params import load_params
from spl.errors import ParamsError
from spl.settings import canonical

# Commands read the parameter file, so what Snakemake knows must be what the file says. A file given by
# --configfile comes first and stands alone; nothing is merged.
if len(workflow.overwrite_configfiles) > 1:
    raise WorkflowError("--configfile takes one complete file here; several are not merged")
PARAMS = Path(workflow.configfiles[0])
try:
    params = load_params(PARAMS)
except ParamsError as error:
    raise WorkflowError(error)
if workflow.config_settings.config:
    raise WorkflowError(f"--config is not supported: change {PARAMS}, or name a complete file with --configfile")

DATASETS = list(params.datasets)
METHODS = list(params.methods)
NETWORKS = params.network_methods

# A training asks for a GPU only where there is one; the profile says how many may be used.
GPU = 1 if shutil.which("nvidia-smi") else 0

WEIGHTS = expand("results/weights/{dataset}/{method}/weights.safetensors", dataset=DATASETS, method=NETWORKS)
PER_IMAGE = expand("results/eval/{dataset}/{method}/per_image.csv", dataset=DATASETS, method=METHODS)
PREPARED = expand("data/prepared/{dataset}/manifest.csv", dataset=DATASETS)
STRUCTURE = [
    f"data/prepared/{d}/structure/record.json"
    for d in DATASETS
    if any(settings.run_settings(params, d, m).structure for m in METHODS)
]
PAIRS = expand("data/pairs/{dataset}.csv", dataset=DATASETS)
EXAMPLES = expand("results/figures/examples_{dataset}.png", dataset=DATASETS)


wildcard_constraints:
    dataset="|".join(DATASETS),
    method="|".join(METHODS),


def params_file(wildcards, input):
    """Path of the parameter file. Taking `input` keeps Snakemake from comparing it: what counts is the content."""
    return str(PARAMS)


def run_sources(wildcards):
    """What a run is made from: data, and what its method learns from beside them.

    Files that a person supplies (released weights, VGG) are no inputs, as raw pictures are none: the graph can be
    seen without them, the job says where to get them, and results outlive them. Run records know their hashes.
    """
    run = settings.run_settings(params, wildcards.dataset, wildcards.method)
    if run.released:
        return {}
    prepared = f"data/prepared/{wildcards.dataset}"
    sources = {"images": f"{prepared}/manifest.csv", "masks": "data/masks/masks.csv"}
    if run.teacher:
        sources["teacher"] = "results/teacher/weights.safetensors"
    if run.structure:
        sources["structure"] = f"{prepared}/structure/record.json"
    return sources


def is_trained(wildcards):
    """Whether a run is trained here."""
    return settings.run_settings(params, wildcards.dataset, wildcards.method).released is None


def run_files(wildcards):
    """Weights and run record of a method with a network; nothing for a classical fill."""
    if wildcards.method not in NETWORKS:
        return {}
    folder = f"results/weights/{wildcards.dataset}/{wildcards.method}"
    return {"weights": f"{folder}/weights.safetensors", "run": f"{folder}/run.json"}
