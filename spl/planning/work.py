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

from spl.config.base import Strict
from spl.config.methods import RECIPES, NetworkMethod
from spl.config.teachers import TrainedTeacher, TrainedTResNet
from spl.evaluation.measure_cost import build_network
from spl.evaluation.meter import MIB, Meter
from spl.models.build import as_inpainter
from spl.planning.devices import Device
from spl.steps.settings import Architecture, RunSettings, TeacherSettings, canonical
from spl.teachers.build import build_teacher
from spl.teachers.perception import VGGFeatures, teacher_features
from spl.tensors.device import pick_device
from spl.training.build import build_method
from spl.training.context import TrainingContext
from spl.training.distributed import World

CLASSES = 8
"""Of a teacher that is trained here; their number hardly matters."""
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
    """Costs of pieces on a device, by their settings: its rates times what was counted, or timed on this machine."""

    def __init__(self, device: Device, *, timed: bool = False) -> None:
        self.device, self.timed = device, timed
        self._known: dict[tuple[str, ...], list[Work]] = {}

    def training(self, run: RunSettings) -> list[Work]:
        """Return the work of a step of a run: EdgeConnect's three stages, or what every step of another recipe is."""
        assert isinstance(run.recipe, NetworkMethod)
        same = {"epochs": 3, "edge_epochs": 1, "canny_epochs": 1, "norm_epochs": None, "prior_epochs": None}
        same |= {"decay": None, "per_dataset": {}}
        training = run.recipe.training.model_copy(
            update={k: v for k, v in same.items() if hasattr(run.recipe.training, k)}
        )
        recipe = run.recipe.model_copy(update={"training": training})
        return self._of(_steps, run.model_copy(update={"dataset": "", "method": "", "seed": 0, "recipe": recipe}))

    def filling(self, built: Architecture, batch_size: int) -> list[Work]:
        """Return the work of filling a batch; nothing for a classical fill."""
        return self._of(_fills, built.model_copy(update={"method": ""}), batch_size)

    def teaching(self, teacher: TrainedTeacher) -> list[Work]:
        """Return the work of a step of a teacher's training, without its loss."""
        return self._of(_lessons, teacher)

    def _of(self, make: Callable[..., list[Piece]], settings: Strict, *more: Any) -> list[Work]:
        key = (make.__name__, canonical(settings), *map(str, more))
        if key not in self._known:
            # Shapes are all that is looked at. Autocast knows no such device, and the edges of no values are not found.
            edges = patch("spl.models.ec.canny_edges", lambda luma, valid: valid)
            with torch.device("meta"), patch("torch.autocast", lambda *_, **__: nullcontext()), edges:
                self._known[key] = [_count(piece, self.device) for piece in make(torch.device("meta"), settings, *more)]
            if self.timed:
                seconds = [_time(piece) for piece in make(pick_device(), settings, *more)]
                timed = zip(self._known[key], seconds, strict=True)
                self._known[key] = [work._replace(seconds=measured) for work, measured in timed]
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


def _steps(device: torch.device, run: RunSettings) -> list[Piece]:
    recipe, extra = run.recipe, RECIPES[run.recipe.recipe].extra_target
    assert isinstance(recipe, NetworkMethod)
    teacher, perceptual = (
        build_teacher(known.network).to(device) if isinstance(known, TeacherSettings) else None
        for known in (run.teacher, run.perceptual)
    )
    features = teacher_features(perceptual) if perceptual else None
    if run.vgg_file():
        from torchvision import models  # takes seconds

        layers = RECIPES[recipe.recipe].perceptual_layers
        assert layers is not None
        features = perceptual = VGGFeatures(getattr(models, layers.network)().features, layers).to(device)
    method = build_method(recipe, TrainingContext(World(0, 1, device), run.image_size, 1, 0, teacher, features))
    if device.type == "meta":
        for optimizer in method.optimizers.values():
            optimizer.step = lambda: None  # a fused kernel, which knows no such device
    image = torch.rand(recipe.training.batch_size, 3, run.image_size, run.image_size, device=device)
    mask = (image[:, :1] > 0.5).float()
    batch = [image, mask, *{"structure": [image], "edges": [mask], None: []}[extra]]
    stages = range(3 if recipe.recipe == "ec" else 1)
    return [
        Piece(lambda stage=stage: method.step(*batch, step=stage), method.networks.values(), [teacher, perceptual])
        for stage in stages
    ]


def _fills(device: torch.device, built: Architecture, batch_size: int) -> list[Piece]:
    if (network := build_network(built)) is None:
        return []
    image = torch.rand(batch_size, 3, built.image_size, built.image_size, device=device)
    mask = (image[:, :1] > 0.5).float()
    return [Piece(torch.no_grad()(lambda: as_inpainter(network.to(device))(image, mask)), fixed=[network])]


def _lessons(device: torch.device, teacher: TrainedTeacher) -> list[Piece]:
    from spl.teachers.tresnet import build_classifier
    from spl.teachers.yolov5 import build_yolov5

    if isinstance(teacher, TrainedTResNet):
        side, sizes = teacher.image_size, {"layers": teacher.layers, "width_factor": teacher.width}
        network = build_classifier(**sizes, num_classes=CLASSES).to(device)
    else:
        side, sizes = 2 * teacher.image_size, {"depth": teacher.depth, "width": teacher.width}
        network = build_yolov5(**sizes, num_classes=CLASSES, side=2 * teacher.image_size).to(device)
    image = torch.rand(teacher.training.batch_size, 3, side, side, device=device)
    return [Piece(lambda: sum(part.sum() for part in tree_leaves(network(image))).backward(), [network])]
