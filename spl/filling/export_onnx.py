"""Networks as ONNX files that fill by themselves: 8 bits in and out, compared with torch before they are kept."""

import math
import warnings
from collections.abc import Iterator, Sequence
from copy import deepcopy
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from onnxscript import opset20
from torch import Tensor, nn
from torch.export import Dim

import spl
from spl.common.errors import DataError
from spl.common.files import atomic
from spl.config.methods import RECIPES
from spl.config.registry import load_registry
from spl.config.releases import RELEASES
from spl.filling.networks import read_run
from spl.filling.onnx import FORMAT, open_session
from spl.models.build import as_inpainter, load_generator
from spl.steps.records import read_record
from spl.steps.settings import RunSettings
from spl.tensors.compositing import quantise

REFUSED = {"ec": "EdgeConnect looks for edges by scikit-image's Canny, which is no part of its networks"}
"""By recipe, why it cannot be exported."""

ONE_SIZE = ("lama", "mfe", "migan")
"""Recipes whose graph takes images of one size: MFE and MI-GAN are built for it; of LaMa's Fourier transforms
onnxruntime mistakes the size where that is left open."""

RATIOS = (0.002, 0.3, 0.6)
"""Of the holes on which a file is compared with torch."""


class Graph(nn.Module):
    """What a file does: image (B, H, W, 3) and mask (B, H, W), both uint8, not 0 = hole -> filled (B, H, W, 3)."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator
        self.eval()

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Fill the hole; outside it the result is the image."""
        hole = mask != 0
        kind = next(self.generator.parameters()).dtype
        output = as_inpainter(self.generator)(image.permute(0, 3, 1, 2).to(kind) / 255, hole[:, None].to(kind))
        return torch.where(hole[..., None], quantise(output).permute(0, 2, 3, 1), image)


@torch.no_grad()
def export_onnx(weights: Path, out: Path) -> None:
    """Write the network of a finished run as an ONNX file, once onnxruntime has filled by it what torch fills.

    Batch and size are open where the network leaves them open. Where statistics pool over a batch, it is one image.
    Raises: DataError if there is no run, its network cannot be exported, or the two do not agree within one level.
    """
    run, network = read_run(weights)
    if why := REFUSED.get(network.recipe):
        raise DataError(f"{weights} cannot be exported: {why}. Fill by its folder: spl inpaint --weights {weights}")
    size, recipe = run.image_size, RECIPES[network.recipe]
    graph = Graph(load_generator(network, weights, image_size=size, device=torch.device("cpu")))
    batches = (1,) if recipe.pools_over_batch else (1, len(RATIOS))
    step = recipe.model_construct().multiple_of(size)
    sizes = [(size, size)] if network.recipe in ONE_SIZE else [(size, size), (size + step, max(size - step, 4 * step))]
    with atomic(out) as temporary:
        try:
            program = _trace(graph, batches, sizes, step)
        except Exception as error:  # those of torch.export and torch.onnx have no common base
            cause = f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
            raise DataError(f"{weights} cannot be exported: torch translates no such network ({cause})") from error
        program.model.metadata_props.update(_facts(run, weights))
        program.save(temporary, external_data=False)
        _compare(graph, temporary, batches, sizes)


def _trace(graph: Graph, batches: Sequence[int], sizes: Sequence[tuple[int, int]], step: int) -> Any:
    """Return the program of a graph; what has several values among batches or sizes stays open."""
    image, mask = next(_examples(batches[-1:], sizes[-1:], seed=0))
    sides = {1: Dim("height") * step, 2: Dim("width") * step} if len(sizes) > 1 else {}
    shape = sides | ({0: Dim("batch")} if len(batches) > 1 else {})
    shapes = {"image": shape, "mask": shape}
    with warnings.catch_warnings(action="ignore"):  # of names that two axes share
        traced = torch.export.export(graph, (image, mask), dynamic_shapes=shapes)
        program = torch.onnx.export(
            traced,
            input_names=["image", "mask"],
            output_names=["filled"],
            dynamic_shapes=shapes,
            custom_translation_table=TRANSLATIONS,
            optimize=False,  # it takes x + 1e-8 for x; onnxruntime has optimisations of its own
            verbose=False,
        )
    assert program is not None
    return program


def _average(
    x: Any,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0, 0),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor: int | None = None,
) -> Any:
    """Translate average pooling; torch's own translation forgets another divisor than the number of pixels."""
    op: Any = opset20
    average = op.AveragePool(
        x,
        kernel_shape=list(kernel),
        strides=list(stride or kernel),
        pads=[*padding, *padding],
        ceil_mode=int(ceil_mode),
        count_include_pad=int(count_include_pad),
    )
    if divisor is None:
        return average
    return op.Mul(average, op.Constant(value_float=math.prod(kernel) / divisor))


TRANSLATIONS: dict[Any, Any] = {torch.ops.aten.avg_pool2d.default: _average}
"""Of operations that torch.onnx translates wrongly."""


def _facts(run: RunSettings, weights: Path) -> dict[str, str]:
    """Return what a file says about itself: what it is, and whose."""
    record = read_record(weights / "run.json")
    facts = run.identity() | {
        "format": FORMAT, "version": spl.__version__, "recipe": run.recipe.recipe, "image_size": run.image_size,
        "mask": "not 0 = hole", "weights_sha256": record["outputs"]["weights"]["sha256"],
    }  # fmt: skip
    if run.released:
        known = (
            source for source in load_registry().values() for file in source.files if file.name in record["inputs"]
        )
        source = next(known, None)
        facts["source"] = source.title if source else RELEASES[run.recipe.recipe].documented
        facts["licence"] = source.licence if source else "see the source"
    else:
        facts["source"] = f"trained by spl on {run.dataset}"
    return {f"spl.{name}": str(fact) for name, fact in facts.items()}


def _examples(
    batches: Sequence[int], sizes: Sequence[tuple[int, int]], *, seed: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield blurred noise with holes of all `RATIOS`, in batches of every number and size."""
    rng = np.random.default_rng(seed)
    for batch, (height, width) in product(batches, sizes):
        shape = (width, height)
        images = [
            cv2.resize(rng.integers(0, 256, (9, 9, 3), np.uint8), shape, interpolation=cv2.INTER_CUBIC) for _ in RATIOS
        ]
        fields = [cv2.resize(rng.random((9, 9)), shape, interpolation=cv2.INTER_CUBIC) for _ in RATIOS]
        masks = [field <= np.quantile(field, ratio) for field, ratio in zip(fields, RATIOS, strict=True)]
        stacks = torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(masks).astype(np.uint8) * 255)
        yield from zip(*(stack.split(batch) for stack in stacks), strict=True)


def _compare(graph: Graph, file: Path, batches: Sequence[int], sizes: Sequence[tuple[int, int]]) -> None:
    """Raise DataError unless onnxruntime and torch fill within one level.

    Where a threshold inside a network turns on torch's rounding, what torch gives in double precision counts.
    """
    session = open_session(file)
    for image, mask in _examples(batches, sizes, seed=1):
        found = session.run(["filled"], {"image": image.numpy(), "mask": mask.numpy()})[0]
        off = _levels(found, graph(image, mask))
        if off > 1:
            off = min(off, _levels(found, deepcopy(graph).double()(image, mask)))
        if off > 1:
            raise DataError(
                f"not exported: onnxruntime's fill of {tuple(image.shape)} is {off} levels from torch's; expected 1 at "
                "most. Fill by the folder of the run."
            )


def _levels(found: np.ndarray, expected: Tensor) -> int:
    return np.abs(found.astype(int) - expected.numpy()).max()
