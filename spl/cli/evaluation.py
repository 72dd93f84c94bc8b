"""Commands that measure: filled images, priors and edges, objects found, costs."""

from spl.cli import options as opt
from spl.config.load import load_params
from spl.steps import paths
from spl.steps.settings import (
    CostSettings,
    DetectionSettings,
    EvaluationSettings,
    PerceptualSettings,
    PriorSettings,
    TableSettings,
)


def evaluate_method(
    dataset: opt.DatasetName,
    method: opt.MethodName,
    seed: opt.Seed = None,
    pairs: opt.Pairs = paths.PAIRS,
    images: opt.Images = paths.IMAGES,
    masks: opt.Masks = paths.MASKS,
    weights: opt.RunFolder = paths.WEIGHTS,
    out: opt.OutFolder = paths.EVALUATION,
    params: opt.ParamsFile = opt.PARAMS,
    workers: opt.Workers = 1,
    device: opt.Device = None,
) -> None:
    """Fill and measure every image of a dataset's evaluated split."""
    from spl.analysis.paper import printed
    from spl.evaluation.evaluate_method import evaluate_method
    from spl.tensors.device import pick_device

    experiment = load_params(params)
    settings = EvaluationSettings.of(experiment, dataset=dataset, method=method, seed=seed)
    evaluate_method(
        settings,
        pairs=settings.at(pairs),
        images=settings.at(images),
        masks=masks,
        weights=settings.at(weights),
        folder=settings.at(out),
        device=pick_device(device or (None if method in experiment.network_methods else "cpu")),
        workers=workers,
        paper_psnr=printed(TableSettings.of(experiment), "psnr", method, dataset, "all"),
    )


def measure_perceptual(
    dataset: opt.DatasetName,
    method: opt.MethodName,
    seed: opt.Seed = None,
    evaluation: opt.Evaluation = paths.EVALUATION,
    images: opt.Images = paths.IMAGES,
    out: opt.Out = paths.PERCEPTUAL,
    params: opt.ParamsFile = opt.PARAMS,
    workers: opt.Workers = 1,
    device: opt.Device = None,
) -> None:
    """Measure LPIPS, FID and KID; without their networks' weights they are not available."""
    from spl.evaluation.measure_perceptual import measure_perceptual

    settings = PerceptualSettings.of(load_params(params), dataset=dataset, method=method, seed=seed)
    measure_perceptual(
        settings,
        evaluation=settings.at(evaluation),
        images=settings.at(images),
        out=settings.at(out),
        device=device,
        workers=workers,
    )


def export_priors(
    dataset: opt.DatasetName,
    method: opt.MethodName,
    pairs: opt.Pairs = paths.PAIRS,
    images: opt.Images = paths.IMAGES,
    masks: opt.Masks = paths.MASKS,
    weights: opt.RunFolder = paths.WEIGHTS,
    out: opt.Out = paths.PRIORS,
    params: opt.ParamsFile = opt.PARAMS,
    device: opt.Device = None,
) -> None:
    """Export the semantic priors of SPL, or the edges of EdgeConnect, of some test images."""
    from spl.evaluation.export_priors import export_priors
    from spl.tensors.device import pick_device

    settings = PriorSettings.of(load_params(params), dataset=dataset, method=method)
    export_priors(
        settings,
        pairs=settings.at(pairs),
        images=settings.at(images),
        masks=masks,
        weights=settings.run.at(weights),
        out=settings.at(out),
        device=pick_device(device),
    )


def detect_objects(
    dataset: opt.DatasetName,
    pairs: opt.Pairs = paths.PAIRS,
    images: opt.Images = paths.IMAGES,
    results: opt.Results = paths.RESULTS,
    out: opt.OutFolder = paths.DETECTIONS,
    params: opt.ParamsFile = opt.PARAMS,
    device: opt.Device = None,
) -> None:
    """Find the objects in the uncorrupted images, and in those that the first run of every method has filled."""
    from spl.evaluation.detect_objects import detect_objects
    from spl.tensors.device import pick_device

    settings = DetectionSettings.of(load_params(params), dataset=dataset)
    detect_objects(
        settings,
        pairs=settings.at(pairs),
        images=settings.at(images),
        results=results,
        folder=settings.at(out),
        device=pick_device(device),
    )


def measure_cost(out: opt.Out = paths.COST, params: opt.ParamsFile = opt.PARAMS, device: opt.Device = None) -> None:
    """Measure parameters, multiplications, seconds per image and peak memory of every method."""
    from spl.evaluation.measure_cost import measure_cost
    from spl.tensors.device import pick_device

    measure_cost(CostSettings.of(load_params(params)), out, device=pick_device(device))
