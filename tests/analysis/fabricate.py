"""Evidence as `spl evaluate-method` leaves it, with known differences between methods and seeds."""

import numpy as np
import pandas as pd
from PIL import Image

from spl.analysis.statistics import Sample
from spl.config.experiment import Bootstrap, Evaluation, Perceptual
from spl.config.load import load_params
from spl.data.masks import RATIO_BINS
from spl.steps.records import write_record
from spl.steps.settings import FigureSettings, PerceptualSettings, TableSettings
from tests.conftest import REPOSITORY
from tests.fabricate import write_facts, write_masks_table

EVALUATION = Evaluation(
    split="test",
    pairs="balanced",
    masks_per_image=1,
    batch_size=8,
    bootstrap=Bootstrap(samples=400, confidence=0.95, least_images=2),
    perceptual=Perceptual(metrics=("lpips", "fid", "kid"), folder="data/raw/metrics"),
)


def table_settings(datasets, methods, *, seeds=(1,), kind=TableSettings, **sections):
    """The settings of a table, figure, ... over some datasets and methods; what the demo lacks is as Paris and SPL."""
    demo = load_params(REPOSITORY / "presets/demo.yaml")
    wildcards = {"figure": "grid"} if kind is FigureSettings else {}
    own = {
        "seed": 1,
        "seeds": seeds,
        "datasets": {name: demo.datasets.get(name, demo.datasets["paris"]) for name in datasets},
        "methods": {name: demo.methods.get(name, demo.methods["spl"]) for name in methods},
        "ablations": None,
        "evaluation": EVALUATION,
    }
    return kind.of(demo, **wildcards).model_copy(update=own | sections)


def per_image(quality, *, noise=0.0, bins=RATIO_BINS, per_bin=8, draw=0):
    """Results of images that are equally hard for everybody, `quality` dB better than usual, with some noise."""
    rng = np.random.default_rng(0)
    names = [name for name in bins for _ in range(per_bin)]
    gain = rng.normal(0, 1, len(names)) + quality + np.random.default_rng([1, draw]).normal(0, 1, len(names)) * noise
    return pd.DataFrame({
        "image": [f"test/{i}.png" for i in range(len(names))],
        "image_sha256": [f"{i:064x}" for i in range(len(names))],
        "mask": [f"binary/{i}.png" for i in range(len(names))],
        "mask_sha256": [f"{i:064x}" for i in range(len(names))],
        "hole_ratio": [(int(name[:2]) + 5) / 100 for name in names],
        "ratio_bin": names,
        "psnr": 25 + gain,
        "ssim": 0.8 + gain / 100,
        "mae": 0.02 - gain / 1000,
        "mae_rgb": 0.021 - gain / 1000,
        "ssim_gaussian": 0.81 + gain / 100,
        "psnr_hole": 15 + gain,
        "mae_hole": 0.1 - gain / 1000,
    })  # fmt: skip


def sample_of(values, *, images=None, masks=None):
    """Values (seeds, n) of pairs, each with an image and a mask of its own unless they are given."""
    own = np.arange(values.shape[1])
    return Sample(values, own if images is None else images, own if masks is None else masks)


def write_evidence(results, tables, *, metrics=EVALUATION.metrics):
    """Write tables by (dataset, method, seed), with the version of the metrics in their records."""
    for (dataset, method, seed), table in tables.items():
        path = results / f"eval/{dataset}/{method}/seed{seed}/per_image.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(path, index=False)
        write_facts(path.with_name("record.json"), settings={"metrics": metrics}, device="cpu")


def write_perceptual(params, results, run, table, **facts):
    """Write the perceptual results of a run: LPIPS of every image from a table, and what its record says."""
    path = results / f"perceptual/{run.dataset}/{run.method}/seed{run.seed}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    table[["image", "hole_ratio", "ratio_bin", "lpips"]].to_csv(path, index=False)
    write_record(path.with_suffix(".json"), PerceptualSettings.of(params, **run._asdict()), {}, {}, **facts)


def write_masked(data, dataset, images, hole):
    """Write pairs of a dataset's images, first with one mask, then with one that hides everything."""
    for folder in ("pairs", "masks"):
        (data / folder).mkdir(parents=True)
    Image.fromarray(hole).save(data / "masks/mask.png")
    Image.fromarray(np.ones_like(hole)).save(data / "masks/all.png")
    write_masks_table(data / "masks/masks.csv", ["mask.png", "all.png"])
    pairs = pd.concat([pd.DataFrame({"image": images, "mask": mask}) for mask in ("mask.png", "all.png")])
    pairs.to_csv(data / f"pairs/{dataset}.csv", index=False)
