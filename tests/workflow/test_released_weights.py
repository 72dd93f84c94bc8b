"""Released weights, fabricated in their authors' layouts, go through the real pipeline to Table 1."""

import contextlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from spl.cli.evaluation import evaluate_method as evaluate
from spl.cli.results import table1
from spl.cli.training import train_method
from spl.common.files import read_json, sha256
from spl.config.load import load_params
from spl.config.methods import RECIPES as ALL
from spl.evaluation.evaluate_method import evaluate_method
from spl.inventory.verify import stale_results
from spl.models.build import as_inpainter
from spl.steps.settings import EvaluationSettings
from spl.tensors import loaders
from spl.tensors.compositing import composite, quantise
from tests.conftest import input_hashes
from tests.released.fabricate import (
    IMAGE_SIZE,
    RECIPES,
    method,
    release,
    small,
    write_params,
)
from tests.workflow.conftest import Clone, planned_jobs

CPU = torch.device("cpu")
METHODS = {"spl_released" if recipe == "spl" else recipe: recipe for recipe in RECIPES}
"""Method in params.yaml: recipe."""

BUILT = ("rn", "ec")
"""What Snakemake builds, one file and a folder of two; the same commands make the rest without it, which is faster."""

TEST_IMAGES = 4


class World:
    """A folder with fabricated released files, and parameter files for some and for all of the methods."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clone = Clone(folder, folder / ".cache")
        self.clone.env["CUDA_VISIBLE_DEVICES"] = ""  # the numbers are compared with this process's
        self.generators = {name: small(recipe, folder) for name, recipe in METHODS.items()}
        self.methods = {"telea": {"recipe": "telea", "radius": 3}}
        for name, generator in self.generators.items():
            path = release(METHODS[name], generator, folder / "released" / name)
            self.methods[name] = method(METHODS[name], paris=path.relative_to(folder))
        self.write("params.yaml", ("telea", *BUILT))
        self.params = self.write("all.yaml", self.methods)

    def write(self, file, names, **changes):
        """Write a parameter file of some methods; `changes` replace methods."""
        return write_params(
            self.folder / file, {name: self.methods[name] for name in names} | changes, test=TEST_IMAGES
        )

    def snakemake(self, *arguments, target="results/table1.csv", params="params.yaml"):
        return self.clone.snakemake(params, *arguments, "--", target)

    def planned(self, **options):
        return planned_jobs(self.snakemake("-n", "--quiet", "reason", **options))

    def evidence(self, name):
        return pd.read_csv(self.folder / "results/eval/paris" / name / "seed1/per_image.csv")

    def evaluate(self, name, out, *, batch_size=4, weights=None):
        """Evaluate again, into another folder; return the numbers of every image."""
        settings = EvaluationSettings.of(self.params, dataset="paris", method=name)
        settings = settings.model_copy(update={"batch_size": batch_size})
        data = self.folder / "data"
        evaluate_method(
            settings,
            pairs=data / "pairs/paris.csv",
            images=data / "prepared/paris/manifest.csv",
            masks=data / "masks/masks.csv",
            weights=weights or self.folder / "results/weights/paris" / name / "seed1",
            folder=out,
            device=CPU,
        )
        return pd.read_csv(out / "per_image.csv")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("released"))
    world.jobs = world.planned()
    world.snakemake()
    with contextlib.chdir(world.folder):
        build([name for name in METHODS if name not in BUILT], Path("all.yaml"))
        table1(out=Path("all/table1.csv"), params=Path("all.yaml"))
    return world


def build(names, params):
    """Convert and evaluate, as the rules do."""
    for name in names:
        train_method("paris", name, params=params)
        evaluate("paris", name, params=params, device="cpu")


@pytest.fixture
def inside(world, monkeypatch):
    """The same world as the working folder."""
    monkeypatch.chdir(world.folder)
    return world


def test_nothing_is_trained_and_nothing_is_made_to_learn_from(world):
    assert world.jobs == {
        "fetch_images": 1, "prepare_images": 1, "fetch_masks": 1, "group_masks": 1, "pair_masks": 1,
        "train_method": len(BUILT), "evaluate_method": len(BUILT) + 1, "table1": 1,
    }  # fmt: skip
    assert not (world.folder / "results/teachers").exists()
    assert not (world.folder / "checkpoints").exists()
    for name in METHODS:
        files = {file.name for file in (world.folder / "results/weights/paris" / name / "seed1").iterdir()}
        assert files == {"weights.safetensors", "run.json"}


def test_a_method_that_is_trained_needs_its_teacher_beside_released_ones(world):
    world.write("trained.yaml", BUILT, spl=method("spl"), mfe_trained=method("mfe"))
    jobs = world.planned(params="trained.yaml", target="weights")
    assert jobs == {"fetch_pretext": 1, "train_teacher": 1, "smooth_images": 1, "train_method": 2, "weights": 1}


@pytest.mark.parametrize(("folder", "names"), [("results", BUILT), ("all", tuple(METHODS))])
def test_table1_says_what_stands_behind_each_cell(world, folder, names):
    table = pd.read_csv(world.folder / folder / "table1.csv")
    whole = table.query("mask_ratio == 'all'")
    assert set(whole["method"]) == {"telea", *names}
    assert whole["ours"].notna().all()
    assert (whole["n_images"] == TEST_IMAGES).all()
    released = whole["method"] != "telea"
    assert set(whole.loc[released, "status"]) == {"released weights on the miniature world"}
    assert set(whole.loc[~released, "status"]) == {"classical fill on the miniature world"}
    assert "the authors' released weights" in (world.folder / folder / "table1.md").read_text()


def test_every_method_is_measured_on_the_same_pairs(world):
    pairs, shared = pd.read_csv(world.folder / "data/pairs/paris.csv"), ["image", "mask", "hole_ratio", "ratio_bin"]
    assert len(pairs) == TEST_IMAGES
    for name in ("telea", *METHODS):
        assert world.evidence(name)[shared].equals(pairs[shared])
        record = read_json(world.folder / "results/eval/paris" / name / "seed1/record.json")
        assert input_hashes(record)["pairs"] == sha256(world.folder / "data/pairs/paris.csv")


@pytest.mark.parametrize("name", METHODS)
def test_the_images_are_those_of_the_released_network(world, name):
    run = world.folder / "results/weights/paris" / name / "seed1"
    record = read_json(run / "run.json")
    files = {file.name: sha256(file) for file in (world.folder / "released" / name).iterdir()}
    assert input_hashes(record) == files
    data = world.folder / "data"
    pairs = loaders.TestPairs(
        data / "pairs/paris.csv", data / "prepared/paris/manifest.csv", data / "masks/masks.csv", image_size=IMAGE_SIZE
    )
    image, mask = (torch.stack(parts) for parts in zip(*pairs, strict=True))
    with torch.no_grad():
        output = as_inpainter(world.generators[name])(image, mask)
    expected = quantise(composite(output.clamp(0, 1), image, mask)).permute(0, 2, 3, 1).int()
    composited = world.folder / "results/eval/paris" / name / "seed1/composited"
    for file, pixels in zip(pairs.table["image"], expected.numpy(), strict=True):
        assert np.abs(np.asarray(Image.open(composited / Path(file).name)).astype(int) - pixels).max() <= 1


def test_rn_depends_on_the_declared_batch(world, tmp_path):
    whole, halves, singles = (world.evaluate("rn", tmp_path / str(size), batch_size=size)["psnr"] for size in (4, 2, 1))
    assert whole.equals(world.evidence("rn")["psnr"])  # the same batch gives the same numbers
    assert (whole != halves).any()
    assert (whole != singles).any()
    assert (halves != singles).any()


@pytest.mark.parametrize("name", [name for name, recipe in METHODS.items() if not ALL[recipe].pools_over_batch])
def test_no_other_method_depends_on_the_batch(world, tmp_path, name):
    singles, whole = world.evaluate(name, tmp_path / "singles", batch_size=1), world.evidence(name)
    for metric, tolerance in {"psnr": 0.01, "ssim": 1e-4, "mae": 1e-4}.items():
        np.testing.assert_allclose(singles[metric], whole[metric], atol=tolerance)


def test_a_released_file_that_changes_is_noticed(inside):
    params = load_params("params.yaml")
    assert inside.planned() == {}
    assert stale_results(params) == []
    folder = inside.folder / "released" / "ec"
    before = {path: path.read_bytes() for path in folder.iterdir()}
    release("ec", small("ec", inside.folder / "released", seed=1), folder)
    assert stale_results(params) == [Path("results/weights/paris/ec/seed1/weights.safetensors")]
    for path in before:
        path.unlink()
    assert inside.planned() == {}  # what was converted outlives its source
    for path, content in before.items():
        path.write_bytes(content)
    assert stale_results(params) == []
