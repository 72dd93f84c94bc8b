"""A run that was stopped at any step and resumed gives the same weights, bit for bit."""

import math

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from spl.config import Dataset, Masks, Params
from spl.data.loaders import SampleStream
from spl.data.masks import group_masks
from spl.data.prepare import prepare_images
from spl.data.sources import fetch_images, fetch_masks
from spl.errors import CheckpointError, TrainingError
from spl.files import read_json
from spl.recipes import ConstantDecay, LinearDecay
from spl.settings import DataSettings, ImageSourceSettings, MaskSettings, run_settings
from spl.training.checkpoint import claim
from spl.training.distributed import World
from spl.training.loop import Plan, train
from spl.training.run import train_method
from tests.workflow.conftest import shrink

CPU = World(0, 1, torch.device("cpu"))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Prepared images and masks at 32 x 32."""
    folder = tmp_path_factory.mktemp("world")
    source = {"kind": "miniature", "scene": "paris", "train": 8, "test": 2}
    dataset = Dataset(source=source, layout={"kind": "paris"}, crop=None, image_size=32)
    images = ImageSourceSettings(seed=1, name="paris", source=dataset.source, layout=dataset.layout)
    data = DataSettings(seed=1, name="paris", dataset=dataset)
    masks = MaskSettings(seed=1, masks=Masks(source={"kind": "miniature", "per_bin": 2}, glob="*/*.png", hole="white"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        fetch_images(images, folder / "paris.json", workers=1)
        prepare_images(data, folder / "paris.json", folder / "images", workers=1)
        fetch_masks(masks, folder / "masks.json", workers=1)
        group_masks(masks, folder / "masks.json", folder / "masks", workers=1)
    return folder


@pytest.fixture
def run_method(world, raw_params, tmp_path, monkeypatch):
    """A function that trains a tiny method, without a teacher, up to a step; returns whether it finished."""
    monkeypatch.chdir(tmp_path)
    raw = shrink(raw_params)

    def run(method, out, *, stop_at=None, workers=0, **training):
        raw["methods"][method]["training"] |= training
        if method == "spl":
            raw["methods"]["spl"]["losses"]["lambda_prior"] = 0.0
        settings = run_settings(Params.model_validate(raw, strict=False), "paris", method)
        return train_method(
            settings,
            images=world / "images/manifest.csv",
            masks=world / "masks/masks.csv",
            teacher=world / "none",
            folder=tmp_path / out,
            world=CPU,
            workers=workers,
            should_stop=lambda step: step == stop_at,
        )

    return run


@pytest.mark.parametrize("method", ["spl", "rn"])
@pytest.mark.parametrize("ema", [None, 0.9])
def test_resuming_at_any_step_equals_the_straight_run(run_method, tmp_path, method, ema):
    assert run_method(method, "straight", epochs=2, ema=ema)  # 4 steps, learning rate decays from the middle
    for stop_at in (1, 3):
        out = f"resumed_{stop_at}"
        assert not run_method(method, out, epochs=2, ema=ema, stop_at=stop_at)
        assert not (tmp_path / out / "weights.safetensors").exists()
        assert run_method(method, out, epochs=2, ema=ema)
        straight, resumed = (load_file(tmp_path / name / "weights.safetensors") for name in ("straight", out))
        assert straight.keys() == resumed.keys()
        assert all(torch.equal(straight[name], resumed[name]) for name in straight)
        assert (tmp_path / "straight/log.csv").read_text() == (tmp_path / out / "log.csv").read_text()


def test_workers_do_not_change_the_result(run_method, tmp_path):
    run_method("rn", "alone", workers=0)
    run_method("rn", "helped", workers=2)
    one, two = (load_file(tmp_path / out / "weights.safetensors") for out in ("alone", "helped"))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_state_of_other_settings_is_not_resumed(run_method, tmp_path):
    run_method("rn", "out", stop_at=3, lr=0.001)
    run_method("rn", "out", lr=0.003)
    run_method("rn", "straight", lr=0.003)
    one, two = (load_file(tmp_path / out / "weights.safetensors") for out in ("out", "straight"))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_damaged_state_is_an_error_not_a_fresh_start(run_method, tmp_path):
    run_method("rn", "out", stop_at=1)
    (tmp_path / "checkpoints/paris/rn/state.pt").write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match=r"state\.pt cannot be read"):
        run_method("rn", "out")


def test_losses_fall(run_method, tmp_path):
    run_method("spl", "out", epochs=30, lr=0.002)
    log = pd.read_csv(tmp_path / "out/log.csv")
    assert log["loss_img"].iloc[-1] < 0.9 * log["loss_img"].iloc[0]
    assert read_json(tmp_path / "out/run.json")["steps"] == 60


class CountingStream(SampleStream):
    """Items that are their own sample numbers."""

    def __getitem__(self, number):
        return (torch.tensor(float(number)),)


class Scripted:
    """A method whose losses are given; its weight counts the steps."""

    def __init__(self, losses):
        self.networks = {"net": nn.Linear(1, 1, bias=False)}
        self.optimizers = {"net": torch.optim.SGD(self.networks["net"].parameters(), lr=1.0)}
        self.losses, self.lrs, self.seen = losses, [], []

    def step(self, numbers, *, step):
        self.lrs.append(self.optimizers["net"].param_groups[0]["lr"])
        self.seen += numbers.tolist()
        return {"loss": torch.tensor(self.losses[step])}


def plan(**changes):
    return Plan(**{
        "settings": "{}", "product": "net", "batch_size": 2, "epochs": 2, "decay": ConstantDecay(kind="constant"),
        "ema": None, "log_every": 2,
    } | changes)  # fmt: skip


def test_a_loss_that_is_not_finite_stops_with_step_losses_and_last_checkpoint(tmp_path):
    stream = CountingStream(6, batch_size=2, seed=0, name="x")
    losses = [1.0, 2.0, math.nan, 1.0, 1.0, 1.0]
    with pytest.raises(TrainingError, match="not finite at step 3: loss nan; no checkpoint was written"):
        train(Scripted(losses), stream, plan(), tmp_path, world=CPU)
    train(Scripted(losses), stream, plan(), tmp_path, world=CPU, should_stop=lambda step: step == 1)
    before = (tmp_path / "state.pt").read_bytes()
    with pytest.raises(TrainingError, match=r"the last good checkpoint is .*state\.pt"):
        train(Scripted(losses), stream, plan(), tmp_path, world=CPU)
    assert (tmp_path / "state.pt").read_bytes() == before


def test_every_epoch_shows_every_sample_once_and_the_rate_decays(tmp_path):
    method = Scripted([1.0] * 6)
    stream = CountingStream(6, batch_size=2, seed=0, name="x")
    train(method, stream, plan(decay=LinearDecay(kind="linear", start=0.5)), tmp_path, world=CPU)
    assert method.seen == list(range(12))
    assert [sorted(stream.index(n) for n in range(e * 6, e * 6 + 6)) for e in (0, 1)] == [list(range(6))] * 2
    assert method.lrs == pytest.approx([1, 1, 1, 1, 2 / 3, 1 / 3])


def test_the_log_holds_means_since_the_last_row(tmp_path):
    train(
        Scripted([1.0, 3.0, 5.0, 7.0, 2.0, 2.0]),
        CountingStream(6, batch_size=2, seed=0, name="x"),
        plan(),
        tmp_path,
        world=CPU,
    )
    log = pd.read_csv(tmp_path / "log.csv")
    assert log["step"].tolist() == [2, 4, 6]
    assert log["loss"].tolist() == [2, 6, 2]


def test_a_second_process_is_kept_out(tmp_path):
    with claim(tmp_path, CPU), pytest.raises(TrainingError, match="in use by another process"), claim(tmp_path, CPU):
        pass
    with claim(tmp_path, CPU):
        pass


def test_a_state_of_another_experiment_does_not_pass_for_the_last_good_one(tmp_path):
    stream = CountingStream(6, batch_size=2, seed=0, name="x")
    train(Scripted([1.0] * 6), stream, plan(), tmp_path, world=CPU, should_stop=lambda step: step == 1)
    with pytest.raises(TrainingError, match="no checkpoint was written before"):
        train(Scripted([math.nan] * 6), stream, plan(settings='{"other":1}'), tmp_path, world=CPU)


def test_a_batch_that_processes_cannot_share_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="a batch of 2 cannot be shared equally by 3 processes"):
        train(
            Scripted([]),
            CountingStream(6, batch_size=2, seed=0, name="x"),
            plan(),
            tmp_path,
            world=World(0, 3, CPU.device),
        )
