"""One process or several: the few facts the loop needs about `torchrun`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from spl.common.gpus import SLOTS
from spl.tensors.device import pick_device
from spl.training.parts import InParts


@dataclass(frozen=True)
class World:
    """This process among all, and its device."""

    rank: int
    size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Tell whether this process writes the files."""
        return self.rank == 0

    def distribute(self, network: nn.Module) -> nn.Module:
        """Wrap a network so that its gradients are averaged over all processes."""
        if self.size == 1:
            return network
        # Buffers are equal everywhere: spectral-norm vectors are a function of the weights alone, and the statistics of
        # batch norms are those of all processes. Sending the former between the discriminator's two passes would change
        # tensors that autograd still needs.
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(network, device_ids=devices, broadcast_buffers=False)

    def any(self, *flags: bool) -> list[bool]:
        """Tell for each flag whether it is true in any process."""
        if self.size == 1:
            return list(flags)
        votes = torch.tensor(flags, dtype=torch.int32, device=self.device)
        dist.all_reduce(votes, op=dist.ReduceOp.MAX)
        return [bool(vote) for vote in votes.tolist()]


def unwrap(network: nn.Module) -> nn.Module:
    """Return the network inside its wrappers, or the network itself."""
    while isinstance(network, DistributedDataParallel | InParts):
        network = network.module
    return network


@contextmanager
def join_world(device_name: str | None = None) -> Iterator[World]:
    """Join the process group that `torchrun` describes, or stand alone."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World(0, 1, pick_device(device_name))
        return
    number = "0" if SLOTS in os.environ else os.environ["LOCAL_RANK"]  # `pick_device` shows only a GPU of its own
    device = pick_device(device_name)
    if device.type == "cuda":
        device = pick_device(f"cuda:{number}")
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield World(dist.get_rank(), size, device)
    finally:
        dist.destroy_process_group()
