"""Commands that measure: filled pictures, priors and edges, objects found, costs."""

from pathlib import Path
from typing import Annotated

import typer

from spl.cli.options import (
    DATA,
    MASKS,
    PARAMS,
    RESULTS,
    AnyImages,
    AnyPairs,
    DatasetName,
    Device,
    Masks,
    MethodName,
    ParamsFile,
    RunFolder,
    Seed,
)
from spl.config.load import load_params
from spl.steps import slices


def evaluate(
    dataset: DatasetName,
    method: MethodName,
    seed: Seed = None,
    pairs: AnyPairs = None,
    images: AnyImages = None,
    masks: Masks = MASKS,
    weights: RunFolder = None,
    out: Annotated[Path | None, typer.Option(help="Folder for per_image.csv and the filled pictures.")] = None,
    params: ParamsFile = PARAMS,
    device: Device = None,
) -> None:
    """Fill and measure every image of a dataset's evaluated split."""
    from spl.evaluation.evaluate_method import evaluate_method
    from spl.tensors.device import pick_device

    settings = slices.evaluation_settings(load_params(params), dataset, method, seed)
    run = f"{dataset}/{method}/seed{settings.run.seed}"
    evaluate_method(
        settings,
        pairs=pairs or DATA / f"pairs/{dataset}.csv",
        images=images or DATA / f"prepared/{dataset}/manifest.csv",
        masks=masks,
        weights=weights or RESULTS / "weights" / run,
        folder=out or RESULTS / "eval" / run,
        device=pick_device(device),
    )


def perceptual(
    dataset: DatasetName,
    method: MethodName,
    seed: Seed = None,
    evidence: Annotated[Path | None, typer.Option(help="Folder with per_image.csv and the filled pictures.")] = None,
    images: AnyImages = None,
    out: Annotated[Path | None, typer.Option(help="Table to write; a record is written beside it.")] = None,
    params: ParamsFile = PARAMS,
    device: Device = None,
) -> None:
    """Measure what looks through networks: LPIPS, FID, KID. Without their weights they are not available."""
    from spl.evaluation.measure_perceptual import measure_perceptual

    experiment = load_params(params)
    run = f"{dataset}/{method}/seed{slices.run_settings(experiment, dataset, method, seed).seed}"
    measure_perceptual(
        slices.perceptual_settings(experiment),
        evidence=evidence or RESULTS / "eval" / run,
        images=images or DATA / f"prepared/{dataset}/manifest.csv",
        out=out or RESULTS / f"perceptual/{run}.csv",
        device=device,
    )


def guidance(
    dataset: DatasetName,
    method: MethodName,
    pairs: AnyPairs = None,
    images: AnyImages = None,
    masks: Masks = MASKS,
    weights: RunFolder = None,
    out: Annotated[Path | None, typer.Option(help="File to write; a record is written beside it.")] = None,
    params: ParamsFile = PARAMS,
    device: Device = None,
) -> None:
    """Keep what guides a method on test images: the semantic priors of SPL, the edges of EdgeConnect."""
    from spl.evaluation.keep_guidance import keep_guidance
    from spl.tensors.device import pick_device

    settings = slices.guidance_settings(load_params(params), dataset, method)
    keep_guidance(
        settings,
        pairs=pairs or DATA / f"pairs/{dataset}.csv",
        images=images or DATA / f"prepared/{dataset}/manifest.csv",
        masks=masks,
        weights=weights or RESULTS / f"weights/{dataset}/{method}/seed{settings.run.seed}",
        out=out or RESULTS / f"guidance/{dataset}/{method}.safetensors",
        device=pick_device(device),
    )


def detect(
    dataset: DatasetName,
    method: Annotated[
        str | None, typer.Option(help="Whose filled pictures; the uncorrupted ones if not given.")
    ] = None,
    pairs: AnyPairs = None,
    images: AnyImages = None,
    out: Annotated[Path | None, typer.Option(help="Table to write; a record is written beside it.")] = None,
    params: ParamsFile = PARAMS,
    device: Device = None,
) -> None:
    """Find the objects in a method's filled pictures, or in the uncorrupted ones."""
    from spl.evaluation.detect_objects import detect_objects
    from spl.tensors.device import pick_device

    experiment = load_params(params)
    evidence = None
    if method is not None:
        seed = slices.run_settings(experiment, dataset, method).seed
        evidence = RESULTS / f"eval/{dataset}/{method}/seed{seed}"
    detect_objects(
        slices.detection_settings(experiment, dataset, method),
        pairs=pairs or DATA / f"pairs/{dataset}.csv",
        images=images or DATA / f"prepared/{dataset}/manifest.csv",
        evidence=evidence,
        teachers=RESULTS / "teachers",
        out=out or RESULTS / f"detections/{dataset}/{method or 'ground_truth'}.csv",
        device=pick_device(device),
    )


def cost(
    out: Annotated[Path, typer.Option(help="The table to write.")] = RESULTS / "cost.csv",
    params: ParamsFile = PARAMS,
    device: Device = None,
) -> None:
    """Measure parameters, multiplications, seconds per image and peak memory of every method."""
    from spl.evaluation.measure_cost import write_costs
    from spl.tensors.device import pick_device

    write_costs(slices.cost_settings(load_params(params)), out, device=pick_device(device))
