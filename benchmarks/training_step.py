"""Seconds per training step of each trained method in a parameter file, on random images.

python benchmarks/training_step.py [--params params.yaml] [--device cpu] [--threads 1] [--steps 10]
"""

import argparse
import time

import torch

from spl.config.load import load_params
from spl.steps.settings import RunSettings, TeacherSettings
from spl.teachers.build import build_teacher
from spl.teachers.perception import load_feature_extractor
from spl.tensors.device import pick_device
from spl.training.build import build_method
from spl.training.context import TrainingContext
from spl.training.distributed import World


def main() -> None:
    """Time every method with a network on the first dataset."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--params", default="params.yaml")
    parser.add_argument("--device")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=10)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    params, device = load_params(arguments.params), pick_device(arguments.device)
    dataset = next(iter(params.datasets))
    for name in params.network_methods:
        run = RunSettings.of(params, dataset=dataset, method=name)
        print(f"{name:14} {measure(run, device, arguments.steps)}")


def measure(run: RunSettings, device: torch.device, steps: int) -> str:
    """Return seconds per step and images per second as text."""
    recipe, size = run.recipe, run.image_size
    teacher, perceptual = (
        build_teacher(known.network).to(device) if isinstance(known, TeacherSettings) else None
        for known in (run.teacher, run.perceptual)
    )
    context = TrainingContext(
        world=World(0, 1, device),
        image_size=size,
        steps_per_epoch=steps,  # EdgeConnect's first stage lasts at least an epoch
        seed=0,
        teacher=teacher,
        extract_features=load_feature_extractor(run, perceptual, device),
    )
    method = build_method(recipe, context)
    image = torch.rand(recipe.training.batch_size, 3, size, size, device=device)
    mask = (torch.rand(recipe.training.batch_size, 1, size, size, device=device) < 0.3).float()
    batch = [image, mask]
    if recipe.extra_target:
        batch.append(mask if recipe.extra_target == "edges" else image)
    for step in range(2):
        method.step(*batch, step=step)
    began = time.perf_counter()
    for step in range(steps):
        losses = method.step(*batch, step=step)
    float(losses["total"])  # wait for the GPU
    seconds = (time.perf_counter() - began) / steps
    return f"{seconds:.3f} s/step, {len(image) / seconds:.1f} images/s at {size} px, batch {len(image)}, {device}"


if __name__ == "__main__":
    main()
