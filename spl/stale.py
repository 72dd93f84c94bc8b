"""Results on disk that do not belong to the current `params.yaml`.

After `dvc checkout` or `dvc exp run`, files of other settings may lie where Snakemake, which goes by times,
believes them up to date. Each step's record tells; `dvc.yaml` passes the list to `snakemake --forcerun`.
"""

from collections.abc import Iterator
from pathlib import Path

from spl import settings
from spl.config import Params
from spl.errors import DataError
from spl.files import read_json, sha256
from spl.records import differences
from spl.strict import Strict
from spl.weights.releases import released_files

STAGES = ("masks", "data", "teacher", "train", "evaluate", "report")


def stale_results(params: Params, stage: str) -> list[str]:
    """List the files of a stage to rebuild: those whose record has other settings or inputs.

    Missing files are not listed: Snakemake builds them anyway. Table 1 and figures keep no record and take seconds,
    so they are always listed.
    """
    if stage == "report":
        pictures = (f"results/figures/examples_{dataset}.png" for dataset in params.datasets)
        targets = [target for target in ("results/table1.csv", *pictures) if Path(target).exists()]
        cost = ("results/cost.csv", "results/cost.json", settings.cost_settings(params), {})
        return targets + ["results/cost.csv"] * _is_stale(*cost)
    return [
        target
        for target, record, wanted, inputs in _results(params, stage)
        if _is_stale(target, record, wanted, inputs)
    ]


def _results(params: Params, stage: str) -> Iterator[tuple[str, str, Strict, dict[str, str]]]:
    """Yield (target, record, settings, input files by name) of every result of a stage."""
    masks = "data/masks/masks.csv"
    if stage == "masks":
        yield "data/sources/masks.json", "data/sources/masks.json", settings.mask_settings(params), {}
        yield masks, "data/masks/record.json", settings.mask_settings(params), {"source": "data/sources/masks.json"}
    if stage == "teacher":
        source, run = "data/sources/teacher.json", "results/teacher/run.json"
        yield source, source, settings.pretext_settings(params), {}
        yield run, run, settings.teacher_settings(params), {"source": source}
    for dataset in params.datasets:
        images = f"data/prepared/{dataset}/manifest.csv"
        if stage == "data":
            source = f"data/sources/images/{dataset}.json"
            yield source, source, settings.image_source_settings(params, dataset), {}
            wanted = settings.data_settings(params, dataset)
            yield images, f"data/prepared/{dataset}/record.json", wanted, {"source": source}
            pairs = f"data/pairs/{dataset}"
            yield (
                f"{pairs}.csv",
                f"{pairs}.json",
                settings.pair_settings(params, dataset),
                {"images": images, "masks": masks},
            )
            structure = f"data/prepared/{dataset}/structure/record.json"
            if any(settings.run_settings(params, dataset, method).structure for method in params.methods):
                yield structure, structure, settings.structure_settings(params, dataset), {"images": images}
        for method in params.methods:
            run = f"results/weights/{dataset}/{method}/run.json"
            if stage == "train" and method in params.network_methods:
                wanted = settings.run_settings(params, dataset, method)
                yield run, run, wanted, _run_inputs(wanted, images, masks)
            if stage == "evaluate":
                folder = f"results/eval/{dataset}/{method}"
                inputs = {"images": images, "masks": masks, "pairs": f"data/pairs/{dataset}.csv"}
                if method in params.network_methods:
                    inputs["weights"] = f"results/weights/{dataset}/{method}/weights.safetensors"
                wanted = settings.evaluation_settings(params, dataset, method)
                yield f"{folder}/per_image.csv", f"{folder}/record.json", wanted, inputs


def _run_inputs(run: settings.RunSettings, images: str, masks: str) -> dict[str, str]:
    """Return the input files of a run by the names in its record."""
    if run.released:
        return {file.name: str(file) for file in released_files(run.recipe.recipe, run.released.path)}
    inputs = {"images": images, "masks": masks}
    if run.teacher:
        inputs["teacher"] = "results/teacher/weights.safetensors"
    if vgg := settings.vgg_file(run):
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
    return all(Path(content[key]).exists() for key in ("folder", "weights") if key in content)
