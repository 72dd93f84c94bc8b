"""An evaluation goes on after a kill, as if there had been none, and doubts what cannot be right."""

import os
import re
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from spl.common.files import read_json
from spl.config.experiment import Params
from spl.config.methods import BiharmonicFill, PatchMatchFill, ReleasedWeights
from spl.evaluation import evaluate_method as module
from spl.evaluation import plausible
from spl.evaluation.metrics import psnr
from spl.evaluation.plausible import implausible
from spl.models.classical import classical_inpainter
from spl.steps.settings import EvaluationSettings
from spl.tensors import loaders
from spl.tensors.device import in_one_thread
from tests.evaluation.fabricate import finish_run
from tests.fabricate import draw_pairs
from tests.training.conftest import tiny_params

CPU = torch.device("cpu")
SIZE, IMAGES = 32, 14


@pytest.fixture(scope="module")
def params():
    return Params.model_validate(tiny_params(), strict=False)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return draw_pairs(tmp_path_factory.mktemp("data"), size=SIZE, holes=(14, 3, 10, 6, 20, 8, 12))


@pytest.fixture
def world(params, data, tmp_path, monkeypatch):
    """RN with random weights; `filled` are the sizes of the batches that it has filled in this process."""
    world = SimpleNamespace(filled=[], kill_at=None, weights=tmp_path / "weights")
    world.settings = EvaluationSettings.of(params, dataset="places2", method="rn").model_copy(update={"batch_size": 2})
    load = module.load_method

    def watched(*arguments, **options):
        inpainter = load(*arguments, **options)

        def fill(image, mask):
            if len(world.filled) == world.kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            world.filled.append(len(image))
            return inpainter(image, mask)

        return fill

    def evaluate(name, workers=1, **changes):
        where = {"weights": world.weights, "folder": tmp_path / name}
        settings = world.settings.model_copy(update=changes)
        module.evaluate_method(settings, **data._asdict(), **where, device=CPU, workers=workers)
        return tmp_path / name

    def kill(name, *, before_batch, workers=1):
        """Evaluate in a process that gets no time to clean up."""
        if not (child := os.fork()):
            world.kill_at = before_batch
            evaluate(name, workers)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL

    monkeypatch.setattr(module, "load_method", watched)
    world.evaluate, world.kill = evaluate, kill
    finish_run(world.settings.run, data, world.weights)
    return world


def content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("workers", "finished"), [(1, {2}), (3, {0, 1, 2})], ids=["one worker", "overlapping"])
def test_a_killed_evaluation_goes_on_after_the_last_whole_batch(world, tmp_path, workers, finished):
    straight = content(world.evaluate("straight"))
    assert {path.parts[0] for path in straight} == {"per_image.csv", "composited", "record.json"}
    world.filled.clear()
    world.kill("killed", before_batch=2, workers=workers)
    assert not (tmp_path / "killed").exists()
    assert content(world.evaluate("killed", workers)) == straight
    assert 7 - len(world.filled) in finished
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("changes", "seed", "filled"),
    [({}, 0, 5 * [2]), ({"threads": 2}, 0, 7 * [2]), ({"batch_size": 3}, 0, [3, 3, 3, 3, 2]), ({}, 1, 7 * [2])],
    ids=["nothing", "threads", "batch", "weights"],
)
def test_it_begins_again_where_something_has_changed(world, data, monkeypatch, changes, seed, filled):
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    world.kill("killed", before_batch=2)
    finish_run(world.settings.run, data, world.weights, seed=seed)
    world.evaluate("killed", **changes)
    assert world.filled == filled


def test_a_network_fills_in_one_thread_with_its_own_number_of_threads():
    """A network sees the threads that it was given, not those of the process or the thread that asks."""
    asked, before = [], torch.get_num_threads()

    def network(image, mask):
        asked.append((threading.get_ident(), torch.get_num_threads(), torch.is_grad_enabled()))
        return image

    fill = in_one_thread(network, before + 2)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(fill, range(6), range(6)))
    torch.set_num_threads(before)
    assert asked == 6 * [(asked[0][0], before + 2, False)]


def test_what_is_doubted_is_said_and_recorded(world, capsys):
    record = read_json(world.evaluate("released") / "record.json")
    (doubt,) = record["implausible"]
    assert f"warning: {doubt}\n" in capsys.readouterr().err
    assert "rn on places2 has" in doubt


@pytest.mark.parametrize("fill", [BiharmonicFill(recipe="biharmonic"), PatchMatchFill(recipe="patchmatch", radius=2)])
def test_a_limited_fill_leaves_rows_and_images_of_its_number_of_images_only(params, data, tmp_path, fill):
    if fill.recipe == "patchmatch":
        pytest.importorskip("patchmatch")
    settings = EvaluationSettings.of(params, dataset="places2", method="rn")
    for name, images in {"all": None, "some": 3}.items():
        run = settings.run.model_copy(update={"recipe": fill.model_copy(update={"images": images})})
        own = settings.model_copy(update={"run": run})
        module.evaluate_method(own, **data._asdict(), weights=tmp_path / "none", folder=tmp_path / name, device=CPU)
    whole, some = (pd.read_csv(tmp_path / name / "per_image.csv") for name in ("all", "some"))
    images = [f"test/{i}.png" for i in (0, 2, 3)]  # second, fourth and sixth of seven by the hole of the first mask
    assert some["image"].tolist() == images * 2
    pd.testing.assert_frame_equal(some, whole[whole["image"].isin(images)].reset_index(drop=True))
    assert len([*(tmp_path / "some/composited").rglob("*.png")]) == 6


# What is doubted ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pairs(data):
    return loaders.TestPairs(*data, image_size=SIZE)


@pytest.fixture(scope="module")
def floor(pairs):
    """Mean PSNR of the better classical fill."""
    image, mask = plausible.load_pairs(pairs, range(IMAGES), CPU)
    return max(
        np.mean(list(map(psnr, *plausible.fill(classical_inpainter(fill), image, mask)))) for fill in plausible.FLOOR
    )


def doubts(params, pairs, method, found, *, paper=None, released=False):
    settings = EvaluationSettings.of(params, dataset="places2", method=method)
    if released:
        run = settings.run.model_copy(update={"released": ReleasedWeights(source="released", path="file")})
        settings = settings.model_copy(update={"run": run})
    return implausible(settings, pairs, Path(), [float("inf"), *[found] * (IMAGES - 1)], device=CPU, paper=paper)


@pytest.mark.parametrize(
    ("below_floor", "below_paper", "released", "said"),
    [
        (2.9, None, False, None),
        (3.1, None, False, r"where a classical fill has \d\d\.\d\. Perhaps too short a training"),
        (3.1, None, True, r"has \d\d\.\d\. Perhaps masks of the other polarity \(masks.hole\), or .* another colour"),
        (-9.0, 2.9, True, None),
        (-9.0, 3.1, True, r"and the paper's Table 1 \d\d\.\d on all\. Perhaps masks"),
        (3.1, -9.0, True, r"and the paper's Table 1"),
        (-float("inf"), None, True, None),
    ],
)  # fmt: skip
def test_more_than_three_decibels_below_the_fills_or_the_paper(
    params, pairs, floor, below_floor, below_paper, released, said
):
    found = floor - below_floor
    paper = None if below_paper is None else found + below_paper
    told = doubts(params, pairs, "rn", found, paper=paper, released=released)
    if said is None:
        assert told == []
    else:
        (line,) = told
        assert re.search(said, line)


@pytest.mark.parametrize(("truth", "better"), [(True, "nearest"), (False, "all_valid")])
def test_both_readings_of_mfes_mask_are_tried(params, pairs, floor, monkeypatch, truth, better):
    """The other reading fills with the truth, or with its opposite."""
    tried = []

    def load(recipe, *arguments, **options):
        tried.append(recipe.model.feature_mask)
        return lambda image, mask: image if truth else 1 - image

    monkeypatch.setattr(plausible, "load_method", load)
    assert len(doubts(params, pairs, "mfe", floor - 4)) == 1  # trained here, hence with its reading
    told = doubts(params, pairs, "mfe", floor - 4, released=True)
    assert tried == ["nearest"]
    assert f"model.feature_mask: all_valid {floor - 4:.1f} dB, nearest " in told[1]
    assert told[1].endswith(f"better is {better}.")
