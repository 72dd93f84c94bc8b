"""Perceptual metrics are measured if their files are present; missing files are named and wrong ones refused."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from spl.common.errors import CheckpointError, DataError
from spl.common.files import read_json, sha256
from spl.config.experiment import Perceptual
from spl.evaluation import perceptual
from spl.evaluation.distribution import fid, kid
from spl.evaluation.lpips import load_lpips
from spl.evaluation.measure_perceptual import measure_perceptual
from spl.sources.metric_weights import ALEXNET, INCEPTION, LPIPS_LAYERS, present_files, too_few
from spl.steps.records import changed_inputs, changed_settings
from spl.steps.settings import PerceptualSettings
from tests.conftest import input_hashes
from tests.fabricate import write_manifest

CPU = torch.device("cpu")
SIZE = 42
FEATURES = 6
ALL = ("lpips", "fid", "kid")


def write_world(folder, count):
    """Random prepared images, noisy ones in the place of a method's, and the table of its evaluation."""
    rng = np.random.default_rng(0)
    (folder / "prepared/test").mkdir(parents=True)
    (folder / "eval/composited").mkdir(parents=True)
    names = [f"test/{i:03}.png" for i in reversed(range(count))]  # not the order of a listing
    for name in names:
        image = rng.integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8)
        noisy = (image * rng.uniform(0.3, 0.9)).astype(np.uint8)
        Image.fromarray(image).save(folder / "prepared" / name)
        Image.fromarray(noisy).save(folder / "eval/composited" / Path(name).name)
    write_manifest(folder / "prepared/manifest.csv", [("test", name) for name in sorted(names)])
    table = pd.DataFrame({"image": names, "mask": "m.png", "hole_ratio": 0.25, "ratio_bin": "20-30", "psnr": 20.0})
    table["composited_sha256"] = [sha256(folder / "eval/composited" / Path(name).name) for name in names]
    table.to_csv(folder / "eval/per_image.csv", index=False)


def add_second_masks(folder):
    """Fill every image again, under another mask and all black."""
    (folder / "eval/composited/2").mkdir()
    table = pd.read_csv(folder / "eval/per_image.csv")
    for name in table["image"]:
        Image.new("RGB", (SIZE, SIZE)).save(folder / "eval/composited/2" / Path(name).name)
    black = table.assign(mask="n.png", composited_sha256=sha256(folder / "eval/composited/2/000.png"))
    pd.concat([table, black]).to_csv(folder / "eval/per_image.csv", index=False)


def read_pairs(folder):
    """The filled and the ground-truth images in the table's order, (N, 3, H, W) uint8 each."""
    names = pd.read_csv(folder / "eval/per_image.csv")["image"]
    filled = [np.asarray(Image.open(folder / "eval/composited" / Path(name).name)) for name in names]
    images = [np.asarray(Image.open(folder / "prepared" / name)) for name in names]
    return [torch.from_numpy(np.stack(x).transpose(0, 3, 1, 2)) for x in (filled, images)]


def settings_of(metrics, weights):
    where = {"dataset": "paris", "method": "spl", "seed": 1}
    return PerceptualSettings(
        **where, perceptual=Perceptual(metrics=metrics, folder=str(weights)), networks=(), subset_seed=7, threads=1
    )


def measured(folder, weights, **options):
    measure(folder, weights, **options)
    return sorted((folder / "out").iterdir())


def measure(folder, weights, metrics=ALL, workers=1):
    settings = settings_of(metrics, weights)
    paths = {"evaluation": folder / "eval", "images": folder / "prepared/manifest.csv"}
    measure_perceptual(settings, **paths, out=folder / "out/perceptual.csv", device="cpu", workers=workers)
    table = pd.read_csv(folder / "out/perceptual.csv", keep_default_na=False)
    return table, read_json(folder / "out/perceptual.json")


def extract_features(image):
    """Means of six bands in the place of Inception."""
    bands = image.double().mean(dim=(1, 2)).unflatten(1, (FEATURES, -1))
    return bands.mean(dim=2).float() / 50


@pytest.fixture
def world(tmp_path):
    """Fewer images than KID needs."""
    write_world(tmp_path, 5)
    return tmp_path


@pytest.fixture
def large_world(tmp_path):
    """As many images as KID needs, and more than one batch."""
    write_world(tmp_path, 50)
    return tmp_path


@pytest.fixture
def inception(accepted, accept, tmp_path, monkeypatch):
    """A folder of all weights; what is in the place of Inception's passes for it."""
    folder = tmp_path / "all"
    folder.mkdir()
    for file in (ALEXNET, LPIPS_LAYERS):
        (folder / file.names[0]).symlink_to(accepted / file.names[0])
    (folder / INCEPTION.names[0]).write_bytes(b"Inception")
    monkeypatch.setattr(perceptual, "load_inception", lambda folder, device: extract_features)
    return accept(folder, INCEPTION=INCEPTION)


@pytest.mark.parametrize("workers", [1, 3])
def test_a_stopped_measurement_goes_on_after_the_last_whole_batch(large_world, inception, monkeypatch, workers):
    """Four batches, of whose two sides one fails."""
    straight = [path.read_bytes() for path in measured(large_world, inception)]
    batches, fail_at = [], 5

    def watched(image):
        batches.append(len(image))
        if len(batches) == fail_at:
            raise KeyboardInterrupt
        return extract_features(image)

    monkeypatch.setattr(perceptual, "load_inception", lambda folder, device: watched)
    with pytest.raises(KeyboardInterrupt):
        measure(large_world, inception, workers=workers)
    fail_at = None
    assert [path.read_bytes() for path in measured(large_world, inception, workers=workers)] == straight
    assert len(batches) == 4 * 2 + 1  # only what has failed was done twice
    assert [path.name for path in (large_world / "out").iterdir() if path.name.startswith(".")] == []


def test_lpips_stands_beside_its_image_for_every_pair(large_world, accepted):
    table, record = measure(large_world, accepted, ("lpips",))
    assert list(table) == ["image", "hole_ratio", "ratio_bin", "lpips"]
    evidence = pd.read_csv(large_world / "eval/per_image.csv")
    columns = ["image", "hole_ratio", "ratio_bin"]
    pd.testing.assert_frame_equal(table[columns], evidence[columns])
    filled, images = read_pairs(large_world)
    with torch.no_grad():
        expected = load_lpips(accepted, CPU)(filled / 255, images / 255)
    np.testing.assert_allclose(table["lpips"].astype(float), expected, atol=1e-5)
    assert record["n_images"] == 50
    assert record["unavailable"] == {}
    assert record["fid"] is record["kid"] is record["kid_sd"] is None


def test_kid_is_that_of_all_images_and_fid_needs_more_of_them(large_world, inception):
    _, record = measure(large_world, inception)
    ours, truth = (extract_features(x) for x in read_pairs(large_world))
    assert record["kid"] == pytest.approx(kid(ours, truth, seed=7)[0])
    assert record["fid"] is record["kid_sd"] is None
    assert record["unavailable"]["fid"] == "FID needs at least as many images as it has features, 2048, got 50."
    assert "no deviation" in record["unavailable"]["kid_sd"]


def test_fid_and_the_deviation_of_kid_are_those_of_all_images(large_world, inception, monkeypatch):
    monkeypatch.setattr("spl.evaluation.measure_perceptual.too_few", partial(too_few, dimensions=FEATURES))
    monkeypatch.setattr("spl.evaluation.distribution.SUBSET_SIZE", 30)
    table, record = measure(large_world, inception, ("fid", "kid"))
    ours, truth = (extract_features(x) for x in read_pairs(large_world))
    assert record["fid"] == pytest.approx(fid(ours, truth))
    assert (record["kid"], record["kid_sd"]) == pytest.approx(kid(ours, truth, seed=7))
    assert record["unavailable"] == {}
    assert set(table["lpips"]) == {""}


def test_further_masks_count_for_lpips_but_not_for_distances_of_distributions(large_world, inception):
    first, one = measure(large_world, inception)
    add_second_masks(large_world)
    table, two = measure(large_world, inception)
    assert len(table) == 100
    assert table["lpips"][:50].equals(first["lpips"])
    assert (table["lpips"][50:].to_numpy() != first["lpips"].to_numpy()).all()
    assert [two[name] for name in ("kid", "n_images")] == [one[name] for name in ("kid", "n_images")]


def test_without_weights_every_metric_says_what_to_fetch(world, tmp_path):
    table, record = measure(world, tmp_path / "nowhere")
    assert set(table["lpips"]) == {""}
    assert record["fid"] is record["kid"] is record["kid_sd"] is None
    assert set(record["unavailable"]) == set(ALL)
    for metric, files in (("lpips", (ALEXNET, LPIPS_LAYERS)), ("fid", (INCEPTION,)), ("kid", (INCEPTION,))):
        for file in files:
            assert " or ".join(file.names) in record["unavailable"][metric]
            assert file.url in record["unavailable"][metric]
    assert "got 5" in record["unavailable"]["kid"]


@pytest.mark.parametrize(("metric", "file"), [("lpips", ALEXNET), ("lpips", LPIPS_LAYERS), ("fid", INCEPTION)])
def test_another_file_under_the_name_ends_the_run_before_anything_is_written(metric, file, world, tmp_path):
    """Even where the metric could not be had with the right one."""
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / file.names[0]).write_bytes(b"<html>")
    with pytest.raises(CheckpointError, match=rf"{file.names[0]}: expected the published file"):
        measure(world, weights, (metric,))
    assert not (world / "out").exists()


def test_the_record_notices_other_evidence_and_weights_that_arrive(world, accepted, tmp_path):
    _, record = measure(world, tmp_path / "nowhere", ("lpips",))
    settings = settings_of(("lpips",), tmp_path / "nowhere")
    assert record["settings"] == settings.model_dump(mode="json")
    path, files = world / "out/perceptual.json", {"per_image": "eval/per_image.csv", "images": "prepared/manifest.csv"}
    evidence = {name: sha256(world / file) for name, file in files.items()}
    assert input_hashes(record) == evidence
    assert changed_settings(path, settings) == changed_inputs(path, evidence) == []
    assert changed_inputs(path, evidence | {"per_image": "another"}) == ["per_image"]
    weights = present_files(("lpips",), accepted)
    arrived = evidence | {name: sha256(file) for name, file in weights.items()}
    assert changed_inputs(path, arrived) == list(weights)
    _, record = measure(world, accepted, ("lpips",))
    assert input_hashes(record) == arrived


def test_weights_of_metrics_that_nobody_asked_for_are_left_alone(world, inception, monkeypatch):
    monkeypatch.setattr(perceptual, "load_inception", pytest.fail)
    monkeypatch.setattr(perceptual, "load_lpips", pytest.fail)
    table, record = measure(world, inception, ())
    assert set(table["lpips"]) == {""}
    assert record["unavailable"] == {}
    assert list(record["inputs"]) == ["per_image", "images"]


def test_an_image_that_was_replaced_or_is_missing_is_refused(world, accepted):
    path = world / "eval/composited/002.png"
    Image.new("RGB", (SIZE + 8, SIZE)).save(path)
    with pytest.raises(DataError, match=r"002\.png is not the file that .*per_image\.csv lists: it was edited"):
        measure(world, accepted)
    path.unlink()
    with pytest.raises(DataError, match=r"composited/002\.png does not exist"):
        measure(world, accepted)
