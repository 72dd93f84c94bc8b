"""Seconds per training step of each trained method in a parameter file, on random pictures.

python benchmarks/training_step.py [--params params.yaml] [--device cpu] [--threads 1] [--steps 10]
"""

import argparse
import time

import torch

from spl.config import SPLRecipe
from spl.params import load_params
from spl.settings import run_settings
from spl.teachers.tresnet import TResNetTeacher
from spl.training.distributed import World, pick_device
from spl.training.run import build_method


def main() -> None:
    """Time every trained method of the first dataset."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--params", default="params.yaml")
    parser.add_argument("--device")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=10)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    params, device = load_params(arguments.params), pick_device(arguments.device)
    dataset = next(iter(params.datasets))
    for name in params.trained_methods:
        run = run_settings(params, dataset, name)
        print(f"{name:14} {measure(run, device, arguments.steps)}")


def measure(run, device: torch.device, steps: int) -> str:
    """Return seconds per step and images per second as text."""
    recipe, size = run.recipe, run.image_size
    teacher = None
    if isinstance(recipe, SPLRecipe) and run.teacher:
        sizes = run.teacher.teacher
        trained = sizes.kind == "trained"
        teacher = TResNetTeacher.build(
            layers=sizes.layers[:2] if trained else (4, 5), width_factor=sizes.width if trained else 1.2
        ).to(device)
    channels = teacher.channels if teacher else 1
    method = build_method(recipe, teacher, channels, 1, World(0, 1, device))
    image = torch.rand(recipe.training.batch_size, 3, size, size, device=device)
    mask = (torch.rand(recipe.training.batch_size, 1, size, size, device=device) < 0.3).float()
    for step in range(2):
        method.step(image, mask, step=step)
    began = time.perf_counter()
    for step in range(steps):
        losses = method.step(image, mask, step=step)
    float(losses["total"])  # wait for the GPU
    seconds = (time.perf_counter() - began) / steps
    return f"{seconds:.3f} s/step, {len(image) / seconds:.1f} images/s at {size} px, batch {len(image)}, {device}"


if __name__ == "__main__":
    main()
