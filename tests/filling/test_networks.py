"""A network fills what it is shown at its own size; where the networks are that fill."""

import numpy as np
import pytest
import torch

from spl.common.errors import DataError, RecordError
from spl.config.experiment import Supplied
from spl.data.classical import FILLS
from spl.filling.holes import crop_boxes, fill_boxes
from spl.filling.networks import find_miniature, load_run, network_fill
from spl.models.classical import classical_inpainter
from spl.steps.records import write_record
from spl.steps.settings import RunSettings, TableSettings

CPU = torch.device("cpu")
SIZE = 32


def hole_at(shape, top, left, height, width):
    hole = np.zeros(shape, bool)
    hole[top : top + height, left : left + width] = True
    return hole


def test_what_is_removed_does_not_shine_through_however_the_crop_is_resized():
    """Whatever is in the hole, the network sees the same."""
    rng, seen = np.random.default_rng(1), []
    fill = network_fill(lambda image, mask: seen.append((image * (1 - mask), mask)) or image, SIZE, CPU)
    for side in (20, 32, 77, 200):
        image, hole = rng.integers(0, 256, (side, side, 3), np.uint8), hole_at((side, side), 5, 6, 7, 8)
        for content in (0, 128):
            image[hole] = content
            fill(image, hole)
        (one, mask), (other, same) = seen[-2:]
        assert torch.equal(one, other)
        assert torch.equal(mask, same)


def test_a_crop_of_the_networks_size_is_not_resized():
    image, hole = (
        np.random.default_rng(1).integers(0, 256, (SIZE, SIZE, 3), np.uint8),
        hole_at((SIZE, SIZE), 9, 9, 9, 9),
    )
    assert np.array_equal(network_fill(lambda given, _: given, SIZE, CPU)(image, hole), image)


def test_a_crop_is_filled_better_than_the_whole_image():
    """In place of a network a classical fill at 32 pixels, of an image eight times as large."""
    x, y = np.meshgrid(np.arange(256), np.arange(256))
    image = np.stack([128 + 100 * np.sin(x / 9), 128 + 100 * np.sin(y / 11), (x + y) / 2], axis=2).astype(np.uint8)
    hole = hole_at((256, 256), 90, 90, 24, 24)
    fill = network_fill(classical_inpainter(FILLS["navier_stokes"]), SIZE, CPU)

    def error(boxes):
        return np.abs(fill_boxes(image, hole, fill, boxes).astype(float) - image)[hole].mean()

    assert error(crop_boxes(hole, least=SIZE, context=2)) < 0.7 * error([(slice(0, 256), slice(0, 256))])


def test_weights_of_another_run_are_refused(tmp_path, demo_params):
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"one run's")
    settings = RunSettings.of(demo_params, dataset="paris", method="spl")
    write_record(tmp_path / "run.json", settings, {}, {"weights": weights})
    weights.write_bytes(b"another's")
    with pytest.raises(RecordError, match=r"weights\.safetensors is not the file that .*run\.json describes"):
        load_run(tmp_path, torch.device("cpu"))


# --- The miniature's networks -----------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path, monkeypatch, demo_params):
    """A function that leaves results with some networks in a folder, drawn or not; results/ and the cache are empty."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def leave(folder, *runs, source=None):
        settings = TableSettings.of(demo_params)
        if source:
            entry = settings.datasets["paris"].model_copy(update={"source": source})
            settings = settings.model_copy(update={"datasets": {"paris": entry}})
        for run in runs:
            (tmp_path / folder / f"weights/{run}/seed1").mkdir(parents=True)
        write_record(tmp_path / folder / "table1.json", settings, {}, {})

    return leave


def test_a_miniature_is_taken_from_results_then_from_a_release_then_from_the_cache(place):
    for i, folder in enumerate(["cache/spl", "dist", "results"]):
        place(folder, "paris/spl", *(["paris/rn"] if i < 2 else []))
        assert f"{find_miniature('paris/spl')}".endswith(f"{folder}/weights/paris/spl/seed1")
    assert find_miniature("paris/rn").parts[0] == "dist"


@pytest.mark.parametrize("source", [None, Supplied(kind="supplied", path="photographs")], ids=["absent", "not drawn"])
def test_a_miniature_that_is_nowhere_names_those_that_are_there_or_the_command_that_makes_it(place, source):
    place("results", *(["paris/spl"] if source else ["paris/rn"]), source=source)
    has = (
        r"no networks\. Run in a clone of this repository: make table1" if source else r"paris/rn\. Name one of them\.$"
    )
    message = rf"miniature:paris/spl is in none of results, dist, .*/spl, which have {has}"
    with pytest.raises(DataError, match=message):
        find_miniature("paris/spl")


@pytest.mark.parametrize("options", [(), ("--model", "big"), ("--model", "miniature", "--weights", "run")])
def test_either_weights_or_a_model_that_is_known(spl, options):
    ended = spl("inpaint", "--image", "a.png", "--mask", "m.png", "--out", "out.png", *options)
    assert ended.status == 2
    assert "miniature[:DATASET/METHOD]" in ended.err
