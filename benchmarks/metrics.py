"""Speed of measuring and evaluating beside plain loops over the same images in memory, and what commands import.

python benchmarks/metrics.py [--images 200] [--repeats 5] [--threads 2]     prints rows of CSV

Both sides of a row take turns on this machine: `ratio` is the median over the turns of our speed by the other's, `low`
and `high` are the least and the largest; `processor` is the ratio per second of processor time, which other work on the
machine does not change. Speeds are images per second, the medians of all turns.
"""

import argparse
import ast
import csv
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from spl.config.load import load_params
from spl.config.methods import DiffusionFill
from spl.data.group_masks import group_masks
from spl.data.pair_masks import pair_masks
from spl.data.prepare_images import prepare_images
from spl.evaluation.metrics import mae, psnr, ssim
from spl.evaluation.per_image import evaluate
from spl.models.classical import classical_inpainter
from spl.sources.fetch import fetch_raw
from spl.steps.settings import ImageSettings, ImageSourceSettings, MaskSettings, MaskSourceSettings, PairSettings
from spl.tensors.loaders import TestPairs

REPOSITORY = Path(__file__).parents[1]
DATASET, SIZE, BATCH = "places2", 256, 16

JOBS = {
    "fetch_images": 3, "fetch_masks": 1, "fetch_pretext": 1, "prepare_images": 3, "smooth_images": 3, "group_masks": 1,
    "pair_masks": 3, "train_teacher": 2, "train_method": 18, "evaluate_method": 27, "measure_perceptual": 27,
    "export_priors": 2, "detect_objects": 1, "measure_cost": 1, "table1": 1, "further_metrics": 1,
    "compare_ablations": 1, "check_claims": 1, "draw_figure": 5, "draw_examples": 3, "write_report": 1,
}  # fmt: skip
"""How often the default experiment calls each command."""

Row = dict[str, Any]


def rows(*, images: int, repeats: int, threads: int) -> Iterator[Row]:
    """Yield a row for the metrics, one for an evaluation with Telea, and one for the start of every command."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        pairs = draw_pairs(Path(folder), images)
        loaded = [pairs[i] for i in range(images)]
        pixels = [image.mul(255).round().byte().permute(1, 2, 0).contiguous().numpy() for image, _ in loaded]
        yield compare_metrics(pixels, repeats, threads)
        holes = [mask[0].byte().numpy() for _, mask in loaded]
        yield compare_evaluation(pairs, pixels, holes, Path(folder), repeats, threads)
    yield from starts(repeats)


def draw_pairs(folder: Path, images: int) -> TestPairs:
    """Draw and prepare test images of the miniature world, masks, and pairs."""
    demo = load_params(REPOSITORY / "presets/demo.yaml")
    dataset = demo.datasets[DATASET]
    source = dataset.source.model_copy(update={"train": 1, "test": images})
    dataset = dataset.model_copy(update={"source": source, "image_size": SIZE})
    masks = demo.masks.model_copy(update={"source": demo.masks.source.model_copy(update={"per_bin": 20})})
    params = demo.model_copy(update={"datasets": {DATASET: dataset}, "masks": masks})
    fetch_raw(ImageSourceSettings.of(params, dataset=DATASET), folder / "images.json")
    fetch_raw(MaskSourceSettings.of(params), folder / "masks.json")
    prepare_images(ImageSettings.of(params, dataset=DATASET), folder / "images.json", folder / "prepared", workers=1)
    group_masks(MaskSettings.of(params), folder / "masks.json", folder / "grouped", workers=1)
    pairs, manifest, table = folder / "pairs.csv", folder / "prepared/manifest.csv", folder / "grouped/masks.csv"
    pair_masks(PairSettings.of(params, dataset=DATASET), manifest, table, pairs)
    return TestPairs(pairs, manifest, table, image_size=SIZE)


def compare_metrics(images: list[np.ndarray], repeats: int, threads: int) -> Row:
    """Measure the metrics of Table 1 in threads, and by a loop over scikit-image."""
    rng = np.random.default_rng(0)
    noisy = [np.clip(image + rng.normal(0, 9, image.shape), 0, 255).astype(np.uint8) for image in images]

    def ours(a: np.ndarray, b: np.ndarray) -> tuple[float, ...]:
        return psnr(a, b), ssim(a, b), mae(a, b)

    def theirs(a: np.ndarray, b: np.ndarray) -> tuple[float, ...]:
        error = np.abs(a.mean(axis=2) - b.mean(axis=2)).mean() / 255
        similarity = structural_similarity(a, b, win_size=11, channel_axis=2, data_range=255)
        return peak_signal_noise_ratio(b, a, data_range=255), similarity, error

    with ThreadPoolExecutor(threads) as pool:
        turns = take_turns(lambda: [*pool.map(ours, noisy, images)], lambda: [*map(theirs, noisy, images)], repeats)
    largest = max(np.abs(np.subtract(ours(*pair), theirs(*pair))).max() for pair in zip(noisy, images, strict=True))
    return compare("PSNR, SSIM, MAE; scikit-image in a loop", len(images), turns, f"largest difference {largest:.0e}")


def compare_evaluation(
    pairs: TestPairs, images: list[np.ndarray], holes: list[np.ndarray], folder: Path, repeats: int, threads: int
) -> Row:
    """Evaluate Telea from files to files, and only fill what is in memory, by a loop over `cv2.inpaint`."""
    inpainter, number = classical_inpainter(DiffusionFill(recipe="telea", radius=3)), count()

    def ours() -> None:
        (place := folder / f"evaluation{next(number)}").mkdir()
        evaluate(inpainter, pairs, place, batch_size=BATCH, device=torch.device("cpu"), workers=threads)

    def theirs() -> None:
        for image, hole in zip(images, holes, strict=True):
            cv2.inpaint(image, hole, 3, cv2.INPAINT_TELEA)

    return compare("evaluation with Telea; cv2.inpaint in a loop", len(images), take_turns(ours, theirs, repeats), "")


def take_turns(ours: Callable[[], object], theirs: Callable[[], object], repeats: int) -> np.ndarray:
    """Return seconds, (turns, 2 sides, 2): on the clock, and of the processor."""
    turns = []
    for side in repeats * (ours, theirs):
        began = time.perf_counter(), time.process_time()
        side()
        turns.append((time.perf_counter() - began[0], time.process_time() - began[1]))
    return np.reshape(turns, (repeats, 2, 2))


def compare(what: str, images: int, turns: np.ndarray, note: str) -> Row:
    """Return the row of a comparison."""
    ratios = turns[:, 1] / turns[:, 0]
    (ours, theirs), (ratio, processor) = images / np.median(turns[:, :, 0], axis=0), np.median(ratios, axis=0)
    low, high = ratios[:, 0].min(), ratios[:, 0].max()
    found = {"ours": ours, "theirs": theirs, "ratio": ratio, "low": low, "high": high, "processor": processor}
    rounded = {name: round(float(value), 2) for name, value in found.items()}
    return {"what": what, "images": images} | rounded | {"turns": len(turns), "note": note}


def starts(repeats: int) -> Iterator[Row]:
    """Yield processor seconds of the imports of every command, and of those of the default experiment's jobs."""
    found, total = {}, 0.0
    for path in sorted((REPOSITORY / "spl/cli").glob("*.py")):
        for command in ast.parse(path.read_text()).body:
            if isinstance(command, ast.FunctionDef) and command.name in JOBS:
                within = [ast.unparse(node) for node in ast.walk(command) if isinstance(node, ast.ImportFrom)]
                found[command.name] = [
                    processor_seconds("\n".join(["import spl.cli", *within])) for _ in range(repeats)
                ]
    for name, seconds in found.items():
        total += JOBS[name] * statistics.median(seconds)
        yield start(f"imports of {name}, s", seconds, f"{JOBS[name]} jobs")
    yield start("imports of all jobs, s", [total], f"{sum(JOBS.values())} jobs; processor time")


def start(what: str, seconds: list[float], note: str) -> Row:
    """Return the row of a start."""
    low, median, high = (round(f(seconds), 2) for f in (min, statistics.median, max))
    return {"what": what, "ours": median, "low": low, "high": high, "turns": len(seconds), "note": note}


def processor_seconds(code: str) -> float:
    """Return what a new process takes for some code."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    columns = ["what", "images", "ours", "theirs", "ratio", "low", "high", "processor", "turns", "note"]
    writer = csv.DictWriter(sys.stdout, columns)
    writer.writeheader()
    for measured in rows(**vars(parser.parse_args())):
        writer.writerow(measured)
        sys.stdout.flush()
