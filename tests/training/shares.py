"""How much gradients of the first step and losses of 20 steps differ if a batch is shared, or goes through in parts.

    python -m tests.training.shares float32 [RECIPE ...]

prints a row for every recipe and number of processes, with the parts of each one's share: against one process, the
largest relative difference of a gradient and of a loss, and the largest one of what the networks hold in the end.
"""

import sys
import tempfile

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from spl.tensors.processes import mean_over_processes
from spl.training.build import build_method
from spl.training.context import TrainingContext
from spl.training.distributed import World, unwrap
from tests.training.conftest import FakeTeacher, fake_features, tiny_run

BATCH, SIDE, STEPS = 4, 32, 20
POOLED = ("rn", "rfr")
"""Recipes whose batch cannot go through in parts."""
SHARES = {2: 2, 4: 1}
"""Number of processes: parts of each one's share."""
CPU = torch.device("cpu")
STAGES = {"rfr": {"epochs": 20, "norm_epochs": 5}, "ec": {"epochs": 20, "edge_epochs": 5, "canny_epochs": 5}}


class Context(TrainingContext):
    """One with networks of the default type: some of their buffers are made as float32."""

    def place(self, network):
        return super().place(network).to(torch.get_default_dtype())


def batch(recipe, step):
    """A batch of four images, with holes of different sizes."""
    generator = torch.Generator().manual_seed(step)
    image = torch.rand(BATCH, 3, SIDE, SIDE, generator=generator, dtype=torch.float64)
    small = torch.rand(BATCH, 1, SIDE // 8, SIDE // 8, generator=generator, dtype=torch.float64)
    mask = (small < torch.tensor([0.1, 0.3, 0.5, 0.7])[:, None, None, None]).repeat_interleave(8, 2)
    mask = mask.repeat_interleave(8, 3)
    more = {"mfe": [image.flip(1)], "ec": [image[:, :1] < 0.1]}.get(recipe, [])
    return [tensor.to(torch.get_default_dtype()) for tensor in (image, mask, *more)]


def train(recipe, world, parts):
    """Return the gradients of the first step, the losses of all, and the networks' states."""
    torch.manual_seed(0)
    settings = tiny_run(recipe, lr=1e-4, **STAGES.get(recipe, {})).recipe
    teacher = FakeTeacher() if recipe == "spl" else None
    method = build_method(settings, Context(world, SIDE, 1, 0, teacher, fake_features, parts))
    networks = {name: unwrap(network) for name, network in method.networks.items()}
    share = slice(world.rank * BATCH // world.size, (world.rank + 1) * BATCH // world.size)
    losses, gradients = [], {}
    for step in range(STEPS):
        found = method.step(*(tensor[share] for tensor in batch(recipe, step)), step=step)
        losses.append(mean_over_processes(torch.stack([loss.detach() for loss in found.values()])))
        if step == 0:
            named = [(n, *entry) for n, network in networks.items() for entry in network.named_parameters()]
            gradients = {f"{n}.{key}": p.grad.clone() for n, key, p in named if p.grad is not None}
    states = {f"{n}.{key}": value for n, network in networks.items() for key, value in network.state_dict().items()}
    return gradients, torch.stack(losses), states


def differences(found, expected):
    """The largest ones: of gradients and losses relative, of states absolute."""
    gradients, losses, states = found
    assert gradients.keys() == expected[0].keys()
    largest = max(gradient.norm() for gradient in expected[0].values())
    floor = torch.finfo(largest.dtype).eps ** 0.5 * largest  # of gradients that are zero but for rounding
    of_gradients = max((gradients[k] - g).norm() / g.norm().clamp(min=floor) for k, g in expected[0].items())
    of_losses = ((losses - expected[1]).abs() / expected[1].abs().clamp(min=1e-12)).max()
    return of_gradients, of_losses, max((states[k] - s).abs().max() for k, s in expected[2].items())


def work(rank, folder, expected):
    """Be one of the processes of every run that has so many."""
    for size in [size for size in SHARES if rank < size]:
        dist.init_process_group("gloo", init_method=f"file://{folder}/{size}", rank=rank, world_size=size)
        for recipe, alone in expected.items():
            parts = 1 if recipe in POOLED else SHARES[size]
            found = train(recipe, World(rank, size, CPU), parts)
            if rank == 0:
                print(recipe, size, parts, *(f"{float(x):.1e}" for x in differences(found, alone)), flush=True)
        dist.destroy_process_group()


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.set_default_dtype(getattr(torch, sys.argv[1]))
    alone = {recipe: train(recipe, World(0, 1, CPU), 1) for recipe in sys.argv[2:] or ["spl", "rn", "rfr", "mfe", "ec"]}
    with tempfile.TemporaryDirectory() as folder:
        # Forks share one import of PyTorch.
        mp.start_processes(work, (folder, alone), max(SHARES), start_method="fork")
