"""Results on disk that do not belong to the current `params.yaml`.

After `dvc checkout` or `dvc exp run`, files of other settings may lie where Snakemake, which goes by times,
believes them up to date. Each step's record tells; `dvc.yaml` passes the list to `snakemake --forcerun`.
"""

from collections.abc import Iterator
from pathlib import Path

from spl.common.errors import DataError
from spl.common.files import read_json, sha256
from spl.config.base import Strict
from spl.config.experiment import Params, guided_methods
from spl.config.releases import released_files
from spl.sources.metric_weights import present_files
from spl.steps import slices
from spl.steps.records import differences
from spl.steps.report_slices import drawn_figures

Result = tuple[str, str, Strict, dict[str, str]]
"""Target, record, settings, input files by name."""

STAGES = ("masks", "data", "teachers", "train", "evaluate", "report")


def stale_results(params: Params, stage: str) -> list[str]:
    """List the files of a stage to rebuild: those whose record has other settings or inputs.

    Missing files are not listed: Snakemake builds them anyway. Tables, figures and the report keep no record and take
    seconds, so they are always listed.
    """
    if stage == "report":
        tables = (f"results/{name}.csv" for name in ("table1", "metrics", "figure4", "grid", "claims"))
        figures = (f"results/figures/{name}.pdf" for name in drawn_figures(params))
        pictures = (f"results/figures/examples_{dataset}.png" for dataset in params.datasets)
        targets = [t for t in (*tables, *figures, *pictures, "results/report.html") if Path(t).exists()]
        cost = ("results/cost.csv", "results/cost.json", slices.cost_settings(params), {})
        return targets + ["results/cost.csv"] * _is_stale(*cost)
    return [
        target
        for target, record, wanted, inputs in _results(params, stage)
        if _is_stale(target, record, wanted, inputs)
    ]


def _results(params: Params, stage: str) -> Iterator[Result]:
    """Yield every result of a stage."""
    masks = "data/masks/masks.csv"
    if stage == "masks":
        yield "data/sources/masks.json", "data/sources/masks.json", slices.mask_settings(params), {}
        yield masks, "data/masks/record.json", slices.mask_settings(params), {"source": "data/sources/masks.json"}
    if stage == "teachers":
        yield from _teachers(params)
    for dataset in params.datasets:
        if stage == "data":
            yield from _data(params, dataset)
        images = f"data/prepared/{dataset}/manifest.csv"
        pairs = {"images": images, "masks": masks, "pairs": f"data/pairs/{dataset}.csv"}
        if stage == "evaluate":
            yield from _shown(params, dataset, pairs)
        for _, method, seed in (run for run in params.runs() if run.dataset == dataset):
            folder = f"{dataset}/{method}/seed{seed}"
            run, weights = f"results/weights/{folder}/run.json", f"results/weights/{folder}/weights.safetensors"
            if stage == "train" and method in params.network_methods:
                wanted = slices.run_settings(params, dataset, method, seed)
                yield run, run, wanted, _run_inputs(wanted, images, masks)
            if stage == "evaluate":
                evidence = f"results/eval/{folder}"
                inputs = pairs | ({"weights": weights} if method in params.network_methods else {})
                wanted = slices.evaluation_settings(params, dataset, method, seed)
                yield f"{evidence}/per_image.csv", f"{evidence}/record.json", wanted, inputs
                table = f"results/perceptual/{folder}"
                perceptual = slices.perceptual_settings(params)
                networks = present_files(perceptual.metrics, Path(perceptual.folder))
                inputs = {"per_image": f"{evidence}/per_image.csv"} | {n: str(path) for n, path in networks.items()}
                yield f"{table}.csv", f"{table}.json", perceptual, inputs


def _teachers(params: Params) -> Iterator[Result]:
    source = "data/sources/pretext.json"
    if params.pretext:
        yield source, source, slices.pretext_settings(params), {}
    for name in slices.needed_teachers(params):
        wanted, run = slices.teacher_settings(params, name), f"results/teachers/{name}/run.json"
        file = slices.supplied_teacher_file(wanted.teacher)
        yield run, run, wanted, ({"pretext": source} if wanted.pretext else {}) | ({"weights": file} if file else {})


def _data(params: Params, dataset: str) -> Iterator[Result]:
    source, folder, pairs = f"data/sources/images/{dataset}.json", f"data/prepared/{dataset}", f"data/pairs/{dataset}"
    images = {"images": f"{folder}/manifest.csv"}
    yield source, source, slices.image_source_settings(params, dataset), {}
    yield images["images"], f"{folder}/record.json", slices.data_settings(params, dataset), {"source": source}
    inputs = images | {"masks": "data/masks/masks.csv"}
    yield f"{pairs}.csv", f"{pairs}.json", slices.pair_settings(params, dataset), inputs
    structure = f"{folder}/structure/record.json"
    if any(slices.run_settings(params, dataset, method).structure for method in params.methods_of(dataset)):
        yield structure, structure, slices.structure_settings(params, dataset), images


def _shown(params: Params, dataset: str, pairs: dict[str, str]) -> Iterator[Result]:
    """Yield what figures show beside filled pictures: priors, edges, objects."""
    for method in (method for where, method in guided_methods(params) if where == dataset):
        wanted, stem = slices.guidance_settings(params, dataset, method), f"results/guidance/{dataset}/{method}"
        weights = f"results/weights/{dataset}/{method}/seed{wanted.run.seed}/weights.safetensors"
        yield f"{stem}.safetensors", f"{stem}.json", wanted, pairs | {"weights": weights}
    if params.detection is None or dataset not in params.detection.datasets:
        return
    for method in (None, *params.table_methods):
        wanted, stem = slices.detection_settings(params, dataset, method), f"results/detections/{dataset}"
        inputs = {"pairs": pairs["pairs"], "detector": slices.detector_file(wanted)}
        if method is None:
            inputs["images"] = pairs["images"]
        else:
            seed = params.seeds_of(dataset, method)[0]
            inputs["per_image"] = f"results/eval/{dataset}/{method}/seed{seed}/per_image.csv"
        stem += f"/{method or 'ground_truth'}"
        yield f"{stem}.csv", f"{stem}.json", wanted, inputs


def _run_inputs(run: slices.RunSettings, images: str, masks: str) -> dict[str, str]:
    """Return the input files of a run by the names in its record."""
    if run.released:
        return {file.name: str(file) for file in released_files(run.recipe.recipe, run.released.path)}
    inputs = {"images": images, "masks": masks}
    if run.teacher:
        inputs["teacher"] = f"results/teachers/{run.teacher.name}/weights.safetensors"
    if vgg := slices.vgg_file(run):
        inputs["vgg"] = vgg
    if run.structure:
        inputs["structure"] = f"data/prepared/{run.dataset}/structure/record.json"
    return inputs


def _is_stale(target: str, record: str, wanted: Strict, inputs: dict[str, str]) -> bool:
    if not Path(target).exists():
        return False
    try:
        current = {name: sha256(path) for name, path in inputs.items() if Path(path).exists()}
        return bool(differences(record, wanted, current)) or not _raw_files_exist(record)
    except DataError:
        return True


def _raw_files_exist(record: str) -> bool:
    """Tell whether the raw files that a fetch recorded are still there; true for every other record."""
    content = read_json(record)
    return "folder" not in content or Path(content["folder"]).exists()
