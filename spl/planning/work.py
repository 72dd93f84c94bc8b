"""Work of a training step and of filling a batch: counted on networks that have shapes but no values, or timed."""

import weakref
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any, NamedTuple
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from spl.config.methods import RECIPES, ECRecipe, TrainedMethod
from spl.evaluation.measure_cost import build_network
from spl.evaluation.meter import MIB, Meter
from spl.models.build import as_inpainter
from spl.planning.devices import Device
from spl.steps.settings import Architecture, RunSettings, TeacherSettings
from spl.teachers.build import build_teacher
from spl.teachers.perception import VGGFeatures, teacher_features
from spl.tensors.device import pick_device
from spl.training.build import build_method
from spl.training.context import TrainingContext
from spl.training.distributed import World

STEPS = 4
"""That are timed; the first is left out."""


class Piece(NamedTuple):
    """A training step, or a batch to fill, with the networks that it needs."""

    do: Callable[[], Any]
    trained: Iterable[nn.Module] = ()
    """Their weights have gradients and moments."""
    fixed: Iterable[nn.Module | None] = ()


class Work(NamedTuple):
    """Cost of a piece."""

    seconds: float
    peak_mib: float
    """The most that weights, moments, gradients and activations need at a time."""
    weights_mib: float


class Costs:
    """Costs of pieces on a device: its rates times what was counted, or timed on this machine."""

    def __init__(self, device: Device, *, timed: bool) -> None:
        self.device, self.timed = device, timed
        self._known: dict[tuple[Any, ...], list[Work]] = {}

    def training(self, run: RunSettings) -> list[tuple[int, Work]]:
        """Return epochs and work of a step for every stage of a run; EdgeConnect has three."""
        recipe = run.recipe
        assert isinstance(recipe, TrainedMethod)
        stages = [recipe.training.epochs]
        if isinstance(recipe, ECRecipe):
            edge, canny = recipe.training.edge_epochs, recipe.training.canny_epochs
            stages = [edge, canny, recipe.training.epochs - edge - canny]
        starts = [sum(stages[:i]) for i in range(len(stages))]
        training = recipe.training
        key = (run.method, run.image_size, training.batch_size, training.processes, training.parts)
        return list(zip(stages, self._of(key, lambda device: _steps(device, run, starts)), strict=True))

    def filling(self, built: Architecture, batch_size: int) -> Work | None:
        """Return the work of filling a batch; None without a network."""
        key = (built.method, built.released, built.image_size)
        return next(iter(self._of(key, lambda device: _fills(device, built, batch_size))), None)

    def _of(self, key: tuple[Any, ...], make: Callable[[torch.device], list[Piece]]) -> list[Work]:
        if key not in self._known:
            # Shapes are all that is looked at. Autocast knows no such device, and the edges of no values are not found.
            edges = patch("spl.models.ec.canny_edges", lambda luma, valid: valid)
            with torch.device("meta"), patch("torch.autocast", lambda *_, **__: nullcontext()), edges:
                works = [_count(piece, self.device) for piece in make(torch.device("meta"))]
            if self.timed:
                pieces = make(pick_device())
                works = [work._replace(seconds=_time(piece)) for work, piece in zip(works, pieces, strict=True)]
            self._known[key] = works
        return self._known[key]


class _Calls(TorchDispatchMode):
    """Counts calls of kernels, which cost time whatever their size, and the bytes of all results that are alive."""

    calls = live = peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls += 1
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor) and not hasattr(storage := tensor.untyped_storage(), "counted"):
                storage.counted = True  # pyright: ignore[reportAttributeAccessIssue] (views share it)
                self._add(storage.nbytes())
                weakref.finalize(storage, self._add, -storage.nbytes())
        return result

    def _add(self, size: int) -> None:
        self.live += size
        self.peak = max(self.peak, self.live)


def _count(piece: Piece, device: Device) -> Work:
    learnt, fixed = (
        sum(
            tensor.numel() * tensor.element_size() for network in networks if network for tensor in network.parameters()
        )
        for networks in (piece.trained, piece.fixed)
    )
    with _Calls() as calls, FlopCounterMode(display=False) as flops:
        piece.do()
    seconds = device.seconds(flops.get_total_flops(), calls.calls)
    return Work(seconds, (calls.peak + 3 * learnt + fixed) / MIB, (learnt + fixed) / MIB)  # gradients are results


def _time(piece: Piece) -> float:
    meter = Meter()
    for _ in range(STEPS):
        with meter.piece():
            piece.do()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
    return meter.typical()


def _steps(device: torch.device, run: RunSettings, starts: list[int]) -> list[Piece]:
    """Return what one process does in a step of every stage; stages start at some epochs, of one step each."""
    recipe, extra = run.recipe, RECIPES[run.recipe.recipe]
    assert isinstance(recipe, TrainedMethod)
    teacher, perceptual = (
        build_teacher(known.network).to(device) if isinstance(known, TeacherSettings) else None
        for known in (run.teacher, run.perceptual)
    )
    features = teacher_features(perceptual) if perceptual else None
    if run.vgg_file():
        from torchvision import models  # takes seconds

        layers = extra.perceptual_layers
        assert layers is not None
        features = perceptual = VGGFeatures(getattr(models, layers.network)().features, layers).to(device)
    training, world = recipe.training, World(0, 1, device)
    context = TrainingContext(world, run.image_size, 1, 0, teacher, features, parts=training.parts)
    method = build_method(recipe, context)
    if device.type == "meta":
        for optimizer in method.optimizers.values():
            optimizer.step = lambda: None  # pyright: ignore (fused kernels know no such device)
    image, mask = _batch(device, training.batch_size // training.processes, run.image_size)
    batch = [image, mask, *{"structure": [image], "edges": [mask], None: []}[extra.extra_target]]
    networks = (method.networks.values(), (teacher, perceptual))
    return [Piece(lambda step=start: method.step(*batch, step=step), *networks) for start in starts]


def _fills(device: torch.device, built: Architecture, batch_size: int) -> list[Piece]:
    if (network := build_network(built)) is None:
        return []
    inpainter, batch = as_inpainter(network.to(device)), _batch(device, batch_size, built.image_size)
    return [Piece(torch.no_grad()(lambda: inpainter(*batch)), fixed=[network])]


def _batch(device: torch.device, count: int, size: int) -> tuple[Tensor, Tensor]:
    image = torch.rand(count, 3, size, size, device=device)
    return image, (image[:, :1] > 0.5).float()
