"""The plan: what is counted without values is what happens, jobs are put side by side as cores and GPUs allow."""

import pandas as pd
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from spl.common.errors import SPLError
from spl.config.experiment import Params
from spl.config.registry import load_registry
from spl.evaluation.measure_cost import build_network
from spl.planning.devices import Device, known_devices, planned_device
from spl.planning.graph import Job, elapsed
from spl.planning.plan import Planner
from spl.planning.show import render, tabulate
from spl.planning.work import Costs
from spl.steps.settings import Architecture
from tests.training.conftest import tiny_params, tiny_run

OPERATIONS = Device("counts operations", "cpu", 1e-12, 0, "")


@pytest.fixture(scope="module")
def params():
    return Params.model_validate(tiny_params(), strict=False)


@pytest.mark.parametrize("method", ["spl", "ec"])
def test_what_is_counted_without_values_is_what_a_network_does(params, method):
    built = Architecture.of(params, "paris", method)
    image = torch.rand(3, 3, built.image_size, built.image_size)
    with torch.no_grad(), FlopCounterMode(display=False) as counted:
        build_network(built).eval()(image, (image[:, :1] > 0.5).float())
    work = Costs(OPERATIONS, timed=False).filling(built, 3)
    assert work.seconds == counted.get_total_flops()
    assert work.peak_mib > work.weights_mib > 0


@pytest.mark.parametrize(("method", "stages"), [("rfr", 1), ("ec", 3)])
def test_a_training_has_the_stages_of_its_recipe_and_a_larger_batch_takes_more(method, stages):
    small, large = (Costs(OPERATIONS, timed=False).training(tiny_run(method, batch_size=size)) for size in (2, 4))
    assert len(small) == stages
    assert sum(epochs for epochs, _ in small) == tiny_run(method).recipe.training.epochs
    for (_, few), (_, many) in zip(small, large, strict=True):
        assert 1.5 < many.seconds / few.seconds < 2.05
        assert few.peak_mib < many.peak_mib
        assert few.weights_mib == many.weights_mib


def job(rule, reads="", makes="", **more):
    files = {name: frozenset(text.split()) for name, text in {"reads": reads, "makes": makes}.items()}
    return Job(rule, {}, **files, **{"threads": 1, "gpu": 0, "seconds": 10} | more)


@pytest.mark.parametrize(
    ("jobs", "cores", "gpus", "seconds"),
    [
        ([job("a"), job("b"), job("c")], 2, 0, 20),
        ([job("a", makes="x"), job("b", reads="x raw")], 2, 0, 20),
        ([job("a", threads=8), job("b")], 2, 0, 50),  # four times as long on a quarter of the cores, then the other
        ([job("a", gpu=1), job("b", gpu=1), job("c")], 9, 1, 20),
        ([job("a", gpu=1), job("b", gpu=1), job("c")], 9, 2, 10),
        ([job("a"), job("b"), job("c", seconds=20)], 2, 0, 20),  # the longest first
    ],
)
def test_jobs_start_as_soon_as_inputs_cores_and_gpus_are_there(jobs, cores, gpus, seconds):
    assert elapsed(jobs, cores=cores, gpus=gpus) == seconds


@pytest.fixture
def alone(monkeypatch):
    """No GPU, and no device named."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("SPL_DEVICE", raising=False)


def test_the_device_is_named_or_here_or_a_slow_gpu_for_what_no_processor_trains(alone, monkeypatch, params):
    assert planned_device(params).name == "cpu"
    raw = tiny_params()
    raw["datasets"]["paris"]["image_size"] = 256
    assert planned_device(Params.model_validate(raw, strict=False)).name == "conservative GPU"
    monkeypatch.setenv("SPL_DEVICE", "NVIDIA H200")
    assert planned_device(params).kind == "gpu"
    with pytest.raises(SPLError, match="'abacus' are known; known are: NVIDIA H200, "):
        planned_device(params, "abacus")


def test_a_training_takes_its_steps_and_on_a_gpu_the_memory_of_that(params):
    named = {"dataset": "paris", "method": "spl", "seed": str(params.seeds[0])}
    training = Job("train_method", named, frozenset(), frozenset("w"), threads=1, gpu=0)
    planners = {name: Planner(params, load_registry(), device) for name, device in known_devices().items()}
    on_cpu = planners["cpu"].plan(training)
    on_gpu = planners["NVIDIA H200"].plan(training._replace(threads=5, gpu=1))
    ((epochs, step),) = planners["cpu"].costs.training(tiny_run("spl"))
    assert on_cpu.seconds == pytest.approx(7 + 2 * epochs * step.seconds)  # 8 images in batches of 4
    assert on_cpu.gpu_mib == 0
    assert 0 < on_gpu.seconds < on_cpu.seconds
    assert on_gpu.gpu_mib > 1500
    asked = tabulate([on_cpu, on_gpu])
    assert (asked["mem_mb"] > 1.25 * asked["memory_mib"]).all()
    assert (asked["runtime"] >= 10 + asked["seconds"] / 40).all()


@pytest.mark.parametrize("recipe", [{"recipe": "biharmonic"}, {"recipe": "patchmatch", "radius": 3}], ids=str)
def test_a_slow_fill_takes_the_time_and_the_disk_of_the_images_that_it_fills(recipe):
    raw, plans = tiny_params(), {}
    raw["methods"] |= {"all": recipe, "limited": recipe | {"images": 2}}
    planner = Planner(Params.model_validate(raw, strict=False), load_registry(), known_devices()["cpu"])
    for method in ("telea", "all", "limited"):
        named = {"dataset": "paris", "method": method, "seed": str(planner.params.seeds[0])}
        plans[method] = planner.plan(Job("evaluate_method", named, frozenset(), frozenset("t"), threads=1, gpu=0))
    start = 4  # seconds
    assert start < plans["telea"].seconds < plans["all"].seconds
    share = 2 / raw["datasets"]["paris"]["source"]["test"]
    assert plans["limited"].seconds - start == pytest.approx(share * (plans["all"].seconds - start))
    assert plans["limited"].disk_gb == pytest.approx(share * plans["all"].disk_gb)


def test_a_plan_shows_every_method_and_the_sum():
    parts = {"makes": "w", "memory_mib": 2048, "disk_gb": 1.25}
    jobs = [
        job("train_method", **parts, seconds=7200),
        job("table1", makes="t", reads="w", memory_mib=512, seconds=3600),
    ]
    jobs[0] = jobs[0]._replace(wildcards={"dataset": "paris", "method": "spl"})
    lines = render(jobs, device="abacus (by hand)", cores=2).splitlines()
    assert lines[0] == "Planned for: abacus (by hand)"
    assert "| paris | SPL | 2.0 h | 2.0 h | 2.0 GB | – | 1.2 GB |" in lines
    assert "| sum |  | 2.0 h | 3.0 h | 2.0 GB | – | 1.2 GB |" in lines
    assert lines[-1] == "From start to end on 2 cores: 3.0 h."
    assert isinstance(tabulate(jobs), pd.DataFrame)
