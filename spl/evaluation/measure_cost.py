"""Cost of filling an image: parameters, multiplications, seconds and memory of every method."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from spl.common.files import atomic
from spl.common.progress import progress
from spl.config.methods import ClassicalFill, NoNetwork
from spl.evaluation.meter import MIB, Meter, peak_memory, reset_peak
from spl.models.build import as_inpainter, build_generator
from spl.models.classical import classical_inpainter
from spl.models.winograd import speed_up
from spl.released.convert import TEACHER_CHANNELS
from spl.steps.records import write_record
from spl.steps.settings import Architecture, CostSettings
from spl.teachers.build import build_teacher

REPEATS = 5
TEACHERS = ("spl.teachers.backbone", "spl.teachers.tresnet", "spl.teachers.yolov5")
"""Imported by `build_teacher` only when they are needed."""


def measure_cost(settings: CostSettings, path: Path, *, device: torch.device) -> None:
    """Measure every method at every image size, one at a time in a process of its own; write a table and its record.

    Weights are fresh ones: cost does not depend on them. Seconds are the median for single images; memory is what
    building the network and filling an image add to the process, or to the GPU's peak.
    """
    # A new process for each, forked from one that has only imported: what a measurement leaves in memory would hide
    # what the next one needs, and an import would count as its own.
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__, *TEACHERS])
    with ProcessPoolExecutor(1, context, max_tasks_per_child=1) as pool:
        methods = progress(settings.methods, what="cost", unit="method")
        rows = [pool.submit(measure_method, method, str(device)).result() for method in methods]
    with atomic(path) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False)
    write_record(path.with_suffix(".json"), settings, {}, {"costs": path}, device=str(device))


def measure_method(built: Architecture, device_name: str) -> dict[str, Any]:
    """Build a method and fill an image of its size a few times; return a row of the table."""
    device = torch.device(device_name)
    before, meter = reset_peak(device), Meter()
    generator = build_network(built)
    if generator:
        inpainter = as_inpainter(generator.to(device).requires_grad_(False))
        speed_up(generator)
    else:
        assert isinstance(built.recipe, ClassicalFill)
        inpainter = classical_inpainter(built.recipe)
    size = built.image_size
    image = torch.linspace(0, 1, size, device=device).expand(1, 3, size, size).contiguous()
    mask = torch.zeros(1, 1, size, size, device=device)
    mask[:, :, size // 4 : 3 * size // 4, size // 4 : 3 * size // 4] = 1
    with torch.no_grad():
        for _ in range(1 + REPEATS):
            with meter.piece():
                inpainter(image, mask).cpu()
        peak = peak_memory(device) - before
        with torch.enable_grad(), FlopCounterMode(display=False) as operations:  # gradients: none of them skipped
            inpainter(image, mask)
    return {
        "method": built.method,
        "image_size": size,
        "parameters": sum(parameter.numel() for parameter in generator.parameters()) if generator else 0,
        "gmacs": round(operations.get_total_flops() / 2e9, 3) if generator else None,
        "seconds_per_image": round(meter.typical(), 4),
        "peak_memory_mib": round(peak / MIB, 1),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
    }


def build_network(built: Architecture) -> nn.Module | None:
    """Return a method's generator with fresh weights; None without a network."""
    if isinstance(built.recipe, NoNetwork):
        return None
    channels = TEACHER_CHANNELS if built.released else 1
    if built.teacher:
        channels = build_teacher(built.teacher).channels
    return build_generator(built.recipe, image_size=built.image_size, teacher_channels=channels)
