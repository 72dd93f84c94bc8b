"""A run that was stopped at any step and resumed gives the same weights, bit for bit."""

import copy
import math
import os
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from spl.common.errors import CheckpointError, RecordError, TrainingError
from spl.common.files import read_json, sha256
from spl.config.experiment import Params
from spl.config.training import ConstantDecay, LinearDecay
from spl.data.group_masks import group_masks
from spl.data.prepare_images import prepare_images
from spl.data.smooth_images import smooth_images
from spl.evaluation.evaluate_method import take_run
from spl.sources.fetch import fetch_pretext, fetch_raw
from spl.steps.records import take
from spl.steps.settings import (
    ImageSettings,
    ImageSourceSettings,
    MaskSettings,
    MaskSourceSettings,
    PretextSettings,
    RunSettings,
    SmoothingSettings,
    TeacherSettings,
)
from spl.teachers.oracle import load_oracle
from spl.tensors.loaders import SampleStream
from spl.training.checkpoint import load_state, lock_run
from spl.training.loop import Plan, train
from spl.training.train_method import Sources, train_method
from spl.training.train_teacher import make_teacher
from tests.conftest import input_hashes, set_value
from tests.released.fabricate import Trap
from tests.training.conftest import CPU, tiny_params

METHODS = ["spl", "rn", "rfr", "mfe", "ec"]
RANDOM = {"kind": "tresnet_random", "layers": [1, 1], "width": 0.125, "standardised": True}
BACKBONE = {"kind": "timm", "model": "test_resnet", "reduction": 8, "weights": None}


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """All that a run reads, made as the workflow makes it."""
    folder = tmp_path_factory.mktemp("world")
    raw = tiny_params()
    raw["teachers"] |= {"backbone": BACKBONE, "random": RANDOM}
    params = Params.model_validate(raw, strict=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        fetch_raw(ImageSourceSettings.of(params, dataset="paris"), folder / "paris.json", workers=1)
        prepare_images(ImageSettings.of(params, dataset="paris"), folder / "paris.json", folder / "images", workers=1)
        smoothing = SmoothingSettings.of(params, dataset="paris")
        smooth_images(smoothing, folder / "images/manifest.csv", folder / "structure", workers=1)
        fetch_raw(MaskSourceSettings.of(params), folder / "masks.json", workers=1)
        group_masks(MaskSettings.of(params), folder / "masks.json", folder / "masks", workers=1)
        fetch_pretext(PretextSettings.of(params), folder / "pretext.json", workers=1)
        for name in params.teachers:
            teacher, out = TeacherSettings.of(params, teacher=name), folder / "teachers" / name
            make_teacher(teacher, folder / "pretext.json", out, world=CPU, should_stop=lambda step: False)
    return Sources(
        images=folder / "images/manifest.csv",
        masks=folder / "masks/masks.csv",
        teachers=folder / "teachers",
        structure=folder / "structure",
    )


@pytest.fixture
def run_method(sources, tmp_path, monkeypatch):
    """A function that trains a tiny method up to a step; returns whether it finished."""
    monkeypatch.chdir(tmp_path)

    def run(method, out, *, stop_at=None, workers=0, seed=1, change=lambda raw: None, **training):
        raw = tiny_params() | {"seeds": [1, 2]}
        change(raw)
        raw["methods"][method]["training"] |= training
        return train_method(
            RunSettings.of(Params.model_validate(raw, strict=False), dataset="paris", method=method, seed=seed),
            sources,
            folder=tmp_path / out,
            world=CPU,
            workers=workers,
            should_stop=lambda step: step == stop_at,
        )

    return run


def weights(folder):
    return load_file(folder / "weights.safetensors")


def assert_equal(one, two):
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


# --- Resuming ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("spl", {"ema": None, "prior_epochs": 1}),
        ("spl", {"ema": 0.9}),
        ("rn", {"ema": None}),
        ("rn", {"ema": 0.9}),
        ("rfr", {"ema": 0.9, "norm_epochs": 1}),  # the norms are frozen from step 2 on
        ("mfe", {"ema": 0.9}),  # crops move from step to step
        ("ec", {"ema": None, "canny_epochs": 0}),
        ("ec", {"ema": 0.9}),  # stages end after steps 2 and 4
    ],
)
def test_resuming_at_any_step_equals_the_straight_run(run_method, tmp_path, method, options):
    """6 steps; the learning rate decays from the middle."""
    assert run_method(method, "straight", epochs=3, **options)
    for stop_at in (1, 3, 4, 5):
        assert not run_method(method, "resumed", epochs=3, stop_at=stop_at, **options)
        assert not (tmp_path / "resumed/weights.safetensors").exists()
        assert torch.load(tmp_path / f"checkpoints/paris/{method}/seed1/state.pt", weights_only=True)["step"] == stop_at
    assert run_method(method, "resumed", epochs=3, **options)
    assert_equal(weights(tmp_path / "straight"), weights(tmp_path / "resumed"))
    assert (tmp_path / "straight/log.csv").read_text() == (tmp_path / "resumed/log.csv").read_text()
    assert not (tmp_path / "checkpoints/paris" / method / "seed1").exists()


def test_a_backbones_scale_is_learnt_from_the_training_images_and_kept(run_method, tmp_path):
    """As a prior's teacher and in perceptual losses; a resumed run learns the same one."""

    def change(raw):
        raw["teachers"] |= {"backbone": BACKBONE}
        raw["methods"]["spl"]["teacher"] = "backbone"
        raw["perceptual_network"] = {"kind": "teacher", "teacher": "backbone"}

    assert run_method("spl", "straight", change=change, epochs=1)
    assert not run_method("spl", "resumed", change=change, epochs=1, stop_at=1)
    assert run_method("spl", "resumed", change=change, epochs=1)
    assert run_method("rfr", "perceptual", change=change, epochs=1)
    assert_equal(weights(tmp_path / "straight"), weights(tmp_path / "resumed"))
    records = {name: read_json(tmp_path / name / "run.json") for name in ("straight", "resumed", "perceptual")}
    scale = records["straight"]["teacher_scale"]
    assert len(scale["mean"]) == len(scale["std"]) == records["straight"]["teacher_channels"]
    assert max(scale["std"]) > 0
    assert records["resumed"]["teacher_scale"] == records["perceptual"]["perceptual_scale"] == scale
    assert "perceptual_scale" not in records["straight"]


@pytest.mark.parametrize("ema", [None, 0.9])
def test_weights_kept_after_an_epoch_are_those_of_a_training_that_ended_there(run_method, tmp_path, ema):
    options = {"ema": ema, "decay": {"kind": "constant"}}
    assert run_method("spl", "short", epochs=2, **options)
    assert run_method("spl", "long", epochs=3, kept_epochs=[1, 2], **options)
    assert_equal(weights(tmp_path / "short"), weights(tmp_path / "long/epoch2"))
    assert read_json(tmp_path / "long/epoch2/run.json")["settings"] == read_json(tmp_path / "long/run.json")["settings"]
    with pytest.raises(AssertionError):
        assert_equal(weights(tmp_path / "long/epoch1"), weights(tmp_path / "long/epoch2"))


def test_equal_arms_of_different_names_differ_by_nothing(run_method, tmp_path):
    assert run_method("spl", "one", epochs=1)
    assert run_method("other", "two", change=lambda raw: raw["methods"].update(other=raw["methods"]["spl"]), epochs=1)
    assert_equal(weights(tmp_path / "one"), weights(tmp_path / "two"))


def test_an_oracle_keeps_its_teacher_with_its_scale(run_method, sources, tmp_path):
    """Fresh norms are calibrated, features standardised in training; what is evaluated later sees the same."""
    raw = tiny_params() | {"seeds": [1]}
    raw["teachers"] |= {"random": RANDOM}
    raw["methods"]["oracle"] = raw["methods"]["spl"] | {"teacher": "random", "oracle": "whole"}
    raw["methods"]["oracle"]["losses"] = raw["methods"]["spl"]["losses"] | {"lambda_prior": 0.0}
    assert run_method("oracle", "out", change=lambda own: own.update(raw), epochs=1)
    run = RunSettings.of(Params.model_validate(raw, strict=False), dataset="paris", method="oracle")
    oracle = load_oracle(run, tmp_path / "out")
    scale = read_json(tmp_path / "out/run.json")["teacher_scale"]
    assert oracle.feature_mean.flatten().tolist() == pytest.approx(scale["mean"])
    assert oracle.feature_std.flatten().tolist() == pytest.approx(scale["std"])
    assert not torch.equal(oracle.teacher.trunk[1].bn.running_var, torch.ones(8))


@pytest.mark.parametrize("method", ["rn", "mfe", "ec"])  # without, with an image and with edges beside image and mask
def test_workers_do_not_change_the_result(run_method, tmp_path, method):
    run_method(method, "alone", workers=0)
    run_method(method, "helped", workers=2)
    assert_equal(weights(tmp_path / "alone"), weights(tmp_path / "helped"))


def test_a_state_of_other_settings_is_not_resumed(run_method, tmp_path):
    run_method("rn", "out", stop_at=3, lr=0.001)
    run_method("rn", "out", lr=0.003)
    run_method("rn", "straight", lr=0.003)
    assert_equal(weights(tmp_path / "out"), weights(tmp_path / "straight"))


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A tiny training that was stopped: a function that goes on with what a change makes of its state."""
    folder = tmp_path_factory.mktemp("stopped")
    network = nn.Linear(3, 2)
    parts = {"network": network, "optimizer": torch.optim.Adam(network.parameters())}
    network(torch.ones(1, 3)).sum().backward()
    parts["optimizer"].step()
    states = {name: part.state_dict() for name, part in parts.items()}

    def resume(change):
        state = copy.deepcopy(states) | {"settings": "{}", "step": 1, "seconds": 2.5}
        state = change(state) or state
        if isinstance(state, bytes):
            (folder / "state.pt").write_bytes(state)
        else:
            torch.save(state, folder / "state.pt")
        return load_state(folder, "{}", parts, CPU.device)

    return resume


def test_a_state_says_how_far_the_run_was(stopped):
    assert stopped(lambda state: None) == (1, 2.5)
    assert stopped(lambda state: state.update(settings="others", network=None)) is None


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda state: b"damaged", "was refused: it is damaged"),
        (lambda state: b"\0" * 2000, "is damaged, or not a PyTorch file"),
        (
            lambda state: state | {"step": Trap(Path("the code ran"))},
            "was refused: it is damaged, or it holds more than",
        ),
        (lambda state: [state], "is no state of this run"),
        (lambda state: "a text", "is no state of this run"),
        (lambda state: state.pop("settings") and None, "is no state of this run"),
        (lambda state: state.pop("seconds") and None, "is no state of this run"),
        (lambda state: state.pop("optimizer") and None, "is no state of this run"),
        (lambda state: state.update(network=None), "is no state of this run"),
        (lambda state: state["network"].update(bias=torch.ones(3)), "is no state of this run"),
        (lambda state: state["optimizer"].pop("state") and None, "is no state of this run"),
        (lambda state: state["optimizer"]["state"][0].update(exp_avg=torch.ones(5)), "is no state of this run"),
    ],
)
def test_a_state_that_is_none_is_an_error_not_a_fresh_start(stopped, change, fault):
    with pytest.raises(CheckpointError, match=rf"state\.pt {fault}.*\. Delete it to start the run anew\.$") as caught:
        stopped(change)
    assert len(str(caught.value).splitlines()) == 1
    assert "weights_only" not in str(caught.value)
    assert not Path("the code ran").exists()


# --- Seeds ------------------------------------------------------------------------------------------------------------


def test_every_seed_gives_weights_of_its_own_and_is_resumed_by_itself(run_method, tmp_path):
    nearly_untrained = {"lr": 1e-6}  # so that what differs is where they start
    run_method("rn", "second", seed=2, stop_at=3, **nearly_untrained)
    run_method("rn", "first", seed=1, **nearly_untrained)
    run_method("rn", "second", seed=2, **nearly_untrained)
    run_method("rn", "again", seed=2, **nearly_untrained)
    first, second = weights(tmp_path / "first"), weights(tmp_path / "second")
    assert all((first[name] - second[name]).abs().max() > 0.01 for name in first if name.endswith("conv1.weight"))
    assert_equal(second, weights(tmp_path / "again"))


def test_the_weights_of_another_seed_are_refused(run_method, sources, tmp_path):
    run_method("rn", "out", seed=2)
    wanted = RunSettings.of(Params.model_validate(tiny_params(), strict=False), dataset="paris", method="rn")
    inputs = take(images=sources.images, masks=sources.masks)
    with pytest.raises(RecordError, match="seed: was 2, is 1"):
        take_run(wanted, tmp_path / "out", inputs)
    take_run(wanted.model_copy(update={"seed": 2}), tmp_path / "out", inputs)


# --- Learning ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "epochs", "falling"),
    [
        ("spl", {"epochs": 30}, ["loss_img"]),
        ("rn", {"epochs": 30}, ["loss_img"]),
        ("rfr", {"epochs": 30}, ["loss_valid", "loss_hole", "loss_perceptual"]),
        ("mfe", {"epochs": 30}, ["loss_img", "loss_perceptual", "loss_auxiliary"]),
        ("ec", {"epochs": 20, "edge_epochs": 5, "canny_epochs": 10}, ["loss_img", "loss_perceptual"]),
    ],
)
def test_losses_fall(run_method, tmp_path, method, epochs, falling):
    run_method(method, "out", **epochs)
    log = pd.read_csv(tmp_path / "out/log.csv")
    for name in falling:
        values = log[name][log[name] > 0]  # those of a network that rests are zero
        assert values.iloc[-1] < 0.9 * values.iloc[0], name
    assert log["step"].iloc[-1] == read_json(tmp_path / "out/run.json")["steps"] == 2 * epochs["epochs"]


# --- What a run is made from ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "inputs"),
    [
        ("rn", {"images", "masks"}),
        ("spl", {"images", "masks", "teacher multilabel"}),
        ("spl_no_prior", {"images", "masks"}),
        ("spl_detector", {"images", "masks", "teacher detector"}),
        ("spl_concat", {"images", "masks", "teacher multilabel"}),
        ("rfr", {"images", "masks", "teacher multilabel"}),
        ("mfe", {"images", "masks", "teacher multilabel", "structure"}),
        ("ec", {"images", "masks", "teacher multilabel"}),
    ],
)
def test_the_record_names_the_files_that_the_method_reads(run_method, sources, tmp_path, method, inputs):
    run_method(method, "out")
    record = read_json(tmp_path / "out/run.json")
    assert record["inputs"].keys() == inputs
    assert (record["settings"]["method"], record["settings"]["seed"]) == (method, 1)
    teacher = {"spl_detector": "detector"}.get(method, "multilabel")
    assert input_hashes(record).get("teacher") in (None, sha256(sources.teachers / teacher / "weights.safetensors"))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "weights.safetensors", "run.json", "log.csv", "samples.png",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value", "methods"),
    [
        ("structure.strength", 0.01, {"mfe"}),
        ("teachers.multilabel.width", 0.25, {"spl", "rfr", "mfe", "ec"}),
        ("teachers.detector.width", 0.25, {"spl_detector"}),
    ],
)
def test_what_was_made_under_other_settings_is_refused(run_method, tmp_path, path, value, methods):
    for method in (*METHODS, "spl_detector"):
        if method in methods:
            with pytest.raises(RecordError, match=rf"{path.split('.')[-1]}: was"):
                run_method(method, "out", change=lambda raw: set_value(raw, path, value))
        else:
            assert not run_method(method, "out", stop_at=1, change=lambda raw: set_value(raw, path, value))


@pytest.mark.parametrize("method", ["rfr", "mfe", "ec"])
def test_without_the_vgg_that_the_settings_ask_for_nothing_is_trained(run_method, tmp_path, method):
    with pytest.raises(CheckpointError, match=r"vgg1[69]-\w+\.pth does not exist: perceptual losses need"):
        run_method(method, "out", change=lambda raw: raw.update(perceptual_network={"kind": "vgg", "folder": "none"}))
    assert not (tmp_path / "checkpoints").exists()


# --- The loop alone ---------------------------------------------------------------------------------------------------


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


STREAM = CountingStream(6, batch_size=2, seed=0, name="x")


def play(losses, folder, *, stop_at=None, world=CPU, **changes):
    """Train for two epochs of three steps; return the method."""
    settings = {"settings": "{}", "decay": ConstantDecay(kind="constant")} | changes
    plan = Plan(product="net", batch_size=2, epochs=2, ema=None, log_every=2, **settings)
    method = Scripted(losses)
    train(method, STREAM, plan, folder, world=world, should_stop=lambda step: step == stop_at)
    return method


def test_a_loss_that_is_not_finite_stops_with_step_losses_and_last_checkpoint(tmp_path):
    losses = [1.0, 2.0, math.nan, 1.0, 1.0, 1.0]
    with pytest.raises(TrainingError, match="not finite at step 3: loss nan; no checkpoint was written"):
        play(losses, tmp_path)
    play(losses, tmp_path, stop_at=1)
    before = (tmp_path / "state.pt").read_bytes()
    with pytest.raises(TrainingError, match=r"the last good checkpoint is .*state\.pt"):
        play(losses, tmp_path)
    assert (tmp_path / "state.pt").read_bytes() == before


def test_every_epoch_shows_every_sample_once_and_the_rate_decays(tmp_path):
    method = play([1.0] * 6, tmp_path, decay=LinearDecay(kind="linear", start=0.5))
    assert method.seen == list(range(12))
    assert [sorted(STREAM.index(n) for n in range(e * 6, e * 6 + 6)) for e in (0, 1)] == [list(range(6))] * 2
    assert method.lrs == pytest.approx([1, 1, 1, 1, 2 / 3, 1 / 3])


def test_the_log_holds_means_since_the_last_row(tmp_path):
    play([1.0, 3.0, 5.0, 7.0, 2.0, 2.0], tmp_path)
    log = pd.read_csv(tmp_path / "log.csv")
    assert log["step"].tolist() == [2, 4, 6]
    assert log["loss"].tolist() == [2, 6, 2]


def test_a_second_process_is_kept_out(tmp_path):
    for _ in range(2):
        folder = tmp_path / "run"
        with lock_run(folder, CPU):
            with pytest.raises(TrainingError, match=f"is being trained by process {os.getpid()} on "):
                lock_run(folder, CPU).__enter__()
            folder.rmdir()  # as the end of a run does; NFS refuses it where a file in it is open


def test_a_state_of_another_experiment_does_not_pass_for_the_last_good_one(tmp_path):
    play([1.0] * 6, tmp_path, stop_at=1)
    with pytest.raises(TrainingError, match="no checkpoint was written before"):
        play([math.nan] * 6, tmp_path, settings='{"other":1}')
