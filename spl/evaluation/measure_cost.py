"""What filling a picture costs: parameters, multiplications, seconds and memory of every method."""

import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from spl.common.files import atomic
from spl.config.methods import BiharmonicFill, DiffusionFill, NetworkMethod
from spl.models.build import Inpainter, as_inpainter, build_generator
from spl.models.classical import classical_inpainter
from spl.released.convert import TEACHER_CHANNELS
from spl.steps.records import write_record
from spl.steps.slices import CostSettings, RunSettings
from spl.teachers.build import build_teacher

COLUMNS = [
    "method", "image_size", "parameters", "gmacs", "seconds_per_image", "peak_memory_mib", "device", "threads",
]  # fmt: skip
REPEATS = 5
MIB = 2**20
TEACHERS = ("spl.teachers.backbone", "spl.teachers.tresnet", "spl.teachers.yolov5")
"""Imported by `build_teacher` only when they are needed."""


def write_costs(settings: CostSettings, path: Path, *, device: torch.device) -> None:
    """Measure every method at every image size, one at a time in a process of its own; write a table and its record.

    Weights are fresh ones: cost does not depend on them. Seconds are the median for single pictures; memory is what
    building the network and filling a picture add to the process, or to the GPU's peak.
    """
    rows = []
    # A new process for each, forked from one that has only imported: what a measurement leaves in memory would hide
    # what the next one needs, and an import would count as its own.
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__, *(TEACHERS if any(run.teacher for run in settings.runs) else ())])
    with ProcessPoolExecutor(1, context, max_tasks_per_child=1) as pool:
        for run in tqdm(settings.runs, desc="cost", unit="method", disable=None):
            rows.append(pool.submit(measure_cost, run, str(device)).result())
    with atomic(path) as temporary:
        pd.DataFrame(rows, columns=COLUMNS).to_csv(temporary, index=False)
    write_record(path.with_suffix(".json"), settings, {}, device=str(device))


def measure_cost(run: RunSettings, device_name: str) -> dict[str, Any]:
    """Build a run's method and fill a picture of its size a few times; return a row of the table."""
    device = torch.device(device_name)
    before = _reset_peak(device)
    generator = build_network(run)
    if generator:
        inpainter = as_inpainter(generator.to(device))
    else:
        assert isinstance(run.recipe, DiffusionFill | BiharmonicFill)
        inpainter = classical_inpainter(run.recipe)
    size = run.image_size
    image = torch.linspace(0, 1, size, device=device).expand(1, 3, size, size).contiguous()
    mask = torch.zeros(1, 1, size, size, device=device)
    mask[:, :, size // 4 : 3 * size // 4, size // 4 : 3 * size // 4] = 1
    with torch.no_grad():
        inpainter(image, mask)  # the first call is slower
        seconds = [_time(inpainter, image, mask) for _ in range(REPEATS)]
        peak = _peak(device) - before
        operations = FlopCounterMode(display=False)
        with operations:
            inpainter(image, mask)
    return {
        "method": run.method,
        "image_size": size,
        "parameters": sum(parameter.numel() for parameter in generator.parameters()) if generator else 0,
        "gmacs": round(operations.get_total_flops() / 2e9, 3) if generator else None,
        "seconds_per_image": round(statistics.median(seconds), 4),
        "peak_memory_mib": round(peak / MIB, 1),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
    }


def build_network(run: RunSettings) -> nn.Module | None:
    """Return the generator of a run with fresh weights; None for a classical fill."""
    if not isinstance(run.recipe, NetworkMethod):
        return None
    channels = TEACHER_CHANNELS if run.released else 1
    if run.teacher:
        channels = build_teacher(run.teacher.teacher).channels
    return build_generator(run.recipe, image_size=run.image_size, teacher_channels=channels)


def _time(inpainter: Inpainter, image: torch.Tensor, mask: torch.Tensor) -> float:
    began = time.perf_counter()
    inpainter(image, mask).cpu()  # waits for the GPU
    return time.perf_counter() - began


def _reset_peak(device: torch.device) -> int:
    """Forget earlier peaks and return the bytes in use."""
    if device.type == "cuda":
        torch.cuda.init()
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _peak(device: torch.device) -> int:
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else _status("VmHWM")


def _status(entry: str) -> int:
    """Return an entry of Linux's process status, in bytes."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[entry].split()[0]) * 1024
