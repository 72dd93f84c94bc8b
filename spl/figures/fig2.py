"""Figure 2: the architecture, drawn from a forward pass of the network itself, so that it is what the code is."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from spl.config.methods import SPLRecipe
from spl.evaluation.measure_cost import build_network
from spl.figures.diagram import SHORTEST, SLAB, Diagram, Point, shape_text
from spl.figures.style import NORMAL, PAGE_WIDTH, save_figure
from spl.models.layers import SPADE, ResidualBlock, ResidualDenseBlock, SPADEResidualBlock
from spl.models.spl import DenseBody
from spl.models.trace import Shape, Step, trace
from spl.steps.records import Inputs
from spl.steps.settings import Architecture, FigureSettings

HEIGHT = 4.2
TOP, MIDDLE, BOTTOM, LEGEND = 3.34, 1.74, 0.64, 0.13
"""Inches: the lines on which encoder and decoder, semantic learner, teacher and legend lie."""

SPINE = 4.32
"""Inches: where the prior meets the image features, above, and the teacher's features, below."""

LEFT, RIGHT = 1.22, 3.65
"""Inches: the first and the last slab of the semantic learner."""

ENCODER, LEARNER, DECODER, DETAIL = "#eef3fa", "#f9efe3", "#eef6ec", "#f4f4f4"
CONV, NORMED, DENSE, RESIDUAL, FUSION, UP, TEACHER = (
    "#d3e3f3", "#9dbfe6", "#d9c3e6", "#f0c48c", "#9fd0a0", "#d9e6a0", "#d0d0d0",
)  # fmt: skip
TEACHER_TITLES = {
    "tresnet": "TResNet, multi-label classification",
    "tresnet_released": "TResNet-L, multi-label classification",
    "tresnet_random": "TResNet with random weights",
    "yolov5": "YOLOv5, detection",
    "yolov5_released": "YOLOv5, detection",
    "timm": "a timm backbone",
}


class Slab(NamedTuple):
    """One feature map on its way through the network."""

    shape: Shape
    colour: str
    above: str
    stacked: bool = False


def draw_fig2(settings: FigureSettings, *, results: Path, data: Path, out: Path) -> Inputs:
    """Draw encoder, semantic learner and decoder with shapes and numbers of parameters; nothing is read."""
    figure = settings.figures.fig2
    assert figure is not None
    recipe = settings.methods[figure.method]
    assert isinstance(recipe, SPLRecipe)
    built = Architecture.of(settings, figure.dataset, figure.method)
    network = build_network(built)
    assert network is not None
    steps = trace(network, image_size=built.image_size)
    diagram = Diagram(PAGE_WIDTH, HEIGHT, smallest=steps["image_encoder"].outputs[0][-1])
    features = _draw_encoder(diagram, steps)
    prior = _draw_learner(diagram, steps)
    _draw_decoder(diagram, steps, features, prior)
    has_teacher = recipe.losses.lambda_prior > 0
    if has_teacher:
        _draw_teacher(diagram, steps, TEACHER_TITLES[built.teacher.kind] if built.teacher else "a pretext network")
    _draw_fusion(diagram, steps)
    _draw_legend(diagram, _kinds(steps), training=has_teacher)
    save_figure(diagram.figure, out)
    return {}


# --- Parts ------------------------------------------------------------------------------------------------------------


def _draw_encoder(diagram: Diagram, steps: dict[str, Step]) -> Point:
    """Draw (a) and return where its features leave it."""
    diagram.panel(
        0.92, TOP - 0.54, 2.98, 1.36, _title("(a) Image encoder $E_I$", steps["image_encoder"]), colour=ENCODER
    )
    _draw_inputs(diagram, steps["image_encoder"], TOP, ("$I_m$", "$M$"))
    names = [(f"image_encoder.conv{i}", f"image_encoder.norm{i}") for i in (1, 2, 3)]
    slabs = [_conv_slab(steps, conv, norm, colour=NORMED) for conv, norm in names]
    return _draw_row(diagram, slabs, start=1.4, end=3.2, y=TOP, entry=0.86)


def _draw_learner(diagram: Diagram, steps: dict[str, Step]) -> Point:
    """Draw (b) and return where the prior leaves it."""
    title = _title("(b) Semantic learner $E_S$", steps["semantic_learner"])
    diagram.panel(0.92, MIDDLE - 0.6, 2.98, 1.45, title, colour=LEARNER)
    diagram.arrow([(0.44, TOP - 0.45), (0.44, MIDDLE + 0.42)])
    diagram.text(0.5, (TOP + MIDDLE) / 2 + 0.01, "nearest\n×2", ha="left")
    _draw_inputs(diagram, steps["semantic_learner"], MIDDLE, ("$I_m^{\\prime}$", "$M'$"))
    names = [f"semantic_learner.conv{i}" for i in (1, 2, 3, 4)]
    slabs = [*(_conv_slab(steps, name, name) for name in names), *_body_slabs(steps)]
    if isinstance(steps["semantic_learner.body"].module, DenseBody):
        _draw_skip(diagram, first=len(names), last=len(slabs) - 1, slabs=len(slabs))
    return _draw_row(diagram, slabs, start=LEFT, end=RIGHT, y=MIDDLE, entry=0.86)


def _draw_skip(diagram: Diagram, *, first: int, last: int, slabs: int) -> None:
    """Draw the connection from before the slab `first` to before the slab `last` of the semantic learner."""
    start, end = (LEFT + (i - 0.5) * (RIGHT - LEFT) / (slabs - 1) for i in (first, last))
    diagram.arrow([(start, MIDDLE), (start, MIDDLE - 0.4), (end, MIDDLE - 0.4), (end, MIDDLE)])


def _draw_inputs(diagram: Diagram, step: Step, y: float, names: tuple[str, str]) -> None:
    """Draw the picture and the mask that an encoder is called with, and their shapes."""
    diagram.picture(0.24, y, 0.36, hole=True)
    diagram.mask(0.64, y, 0.36)
    for x, name in zip((0.24, 0.64), names, strict=True):
        diagram.text(x, y + 0.26, name, size=NORMAL)
    diagram.text(0.44, y - 0.31, "\n".join(map(shape_text, step.inputs)))


def _draw_decoder(diagram: Diagram, steps: dict[str, Step], features: Point, prior: Point) -> None:
    """Draw (c) with what flows into it."""
    diagram.panel(3.98, TOP - 0.54, 2.2, 1.36, _title("(c) Image decoder", steps["image_decoder"]), colour=DECODER)
    fusion, block = steps["image_decoder.fusion"], steps["image_decoder.fusion.blocks.0"]
    diagram.arrow([features, (SPINE - SLAB / 2, TOP)])
    diagram.text(3.6, TOP + 0.1, "$F_m$", size=NORMAL)
    diagram.text(3.6, TOP - 0.09, shape_text(fusion.inputs[0]))
    diagram.arrow([prior, (SPINE, prior[1]), (SPINE, TOP - SHORTEST / 2)])
    diagram.text(SPINE - 0.06, 2.35, "$S_m$", size=NORMAL, ha="right")
    diagram.text(SPINE + 0.06, 2.35, shape_text(fusion.inputs[1]), ha="left")
    blocks = len(list(fusion.module.get_submodule("blocks").children()))
    start = diagram.slab(SPINE, TOP, block.outputs[0], colour=FUSION, above=f"×{blocks}", stacked=blocks > 1)
    up = "image_decoder.upsampling"
    slabs = [
        _conv_slab(steps, f"{up}.conv1", f"{up}.norm1", colour=UP),
        _conv_slab(steps, f"{up}.conv2", f"{up}.norm2", colour=UP),
        _conv_slab(steps, f"{up}.conv3", f"{up}.conv3"),
    ]
    end = _draw_row(diagram, slabs, start=4.92, end=5.88, y=TOP, entry=start[0])
    diagram.arrow([end, (6.34, TOP)])
    diagram.picture(6.58, TOP, 0.42)
    diagram.text(6.58, TOP + 0.31, "$\\hat{I}$", size=NORMAL)
    diagram.text(6.58, TOP - 0.29, shape_text(steps[""].outputs[0]))
    diagram.text(6.58, TOP - 0.47, "$\\mathcal{L}_\\mathrm{img}$, $\\mathcal{L}_\\mathrm{adv}$", size=NORMAL)


def _draw_teacher(diagram: Diagram, steps: dict[str, Step], title: str) -> None:
    """Draw what serves in training only: the adapter, the frozen pretext network and the prior loss between them."""
    adapter, large = steps["semantic_learner.adapter"], steps["semantic_learner"].inputs[0]
    diagram.arrow([(SPINE, MIDDLE), (SPINE, 1.33)], dashed=True)
    diagram.box(SPINE, 1.235, 0.56, f"{_kernel(adapter.module)} conv", colour=CONV)
    diagram.arrow([(SPINE, 1.14), (SPINE, BOTTOM + 0.075)], dashed=True)
    diagram.text(SPINE - 0.06, 0.92, "$S_m^{\\prime}$", size=NORMAL, ha="right")
    diagram.text(SPINE + 0.06, 0.92, shape_text(adapter.outputs[0]), ha="left")
    diagram.picture(0.44, BOTTOM, 0.36)
    diagram.text(0.2, BOTTOM, "$I'$", size=NORMAL, ha="right")
    diagram.text(0.44, BOTTOM - 0.25, shape_text(large))
    diagram.arrow([(0.64, BOTTOM), (0.92, BOTTOM)], dashed=True)
    diagram.box(2.06, BOTTOM, 2.28, f"Teacher $H$, frozen: {title}", colour=TEACHER, height=0.36)
    diagram.arrow([(3.2, BOTTOM), (SPINE - 0.075, BOTTOM)], dashed=True)
    diagram.text(3.72, BOTTOM + 0.1, "$S$", size=NORMAL)
    diagram.text(3.72, BOTTOM - 0.09, shape_text(adapter.outputs[0]))
    diagram.node(SPINE, BOTTOM, "–")
    diagram.text(SPINE, BOTTOM - 0.18, "$\\mathcal{L}_\\mathrm{prior}$", size=NORMAL)


# --- Fusion -----------------------------------------------------------------------------------------------------------


def _draw_fusion(diagram: Diagram, steps: dict[str, Step]) -> None:
    """Draw what happens where prior and image features meet."""
    block = steps["image_decoder.fusion.blocks.0"]
    is_spade = isinstance(block.module, SPADEResidualBlock)
    title, norm = ("SPADE residual block", "SPADE") if is_spade else ("Concatenation, residual block", "norm")
    diagram.panel(4.92, 0.34, 2.04, 2.16, title, colour=DETAIL)
    _draw_block(diagram, block, norm)
    if is_spade:
        _draw_spade(diagram, steps, "image_decoder.fusion.blocks.0.norm1")
    else:
        _draw_merge(diagram, steps)


def _draw_block(diagram: Diagram, block: Step, norm: str) -> None:
    x = 5.44
    parts = [f"{norm}, ReLU", _conv_words(block.module.get_submodule("conv1"))]
    parts += [f"{norm}, ReLU", _conv_words(block.module.get_submodule("conv2"))]
    diagram.text(x, 2.14, f"$F$  {shape_text(block.inputs[0])}")
    for i, words in enumerate(parts):
        y = 1.84 - 0.29 * i
        diagram.arrow([(x, y + 0.235 if i == 0 else y + 0.195), (x, y + 0.095)])
        diagram.box(x, y, 0.66, words, colour=FUSION if i % 2 == 0 else CONV)
    diagram.arrow([(x, 0.875), (x, 0.765)])
    diagram.node(x, 0.69, "+")
    diagram.arrow([(x, 2.0), (x - 0.42, 2.0), (x - 0.42, 0.69), (x - 0.075, 0.69)])
    diagram.arrow([(x, 0.615), (x, 0.5)])
    diagram.text(x, 0.43, shape_text(block.outputs[0]))


def _draw_spade(diagram: Diagram, steps: dict[str, Step], name: str) -> None:
    """Draw how scale and shift are read from the prior (Eqs. 6 and 7)."""
    x, spade, shared = 6.42, steps[name].module, steps[f"{name}.shared_conv"]
    assert isinstance(spade, SPADE)
    diagram.text(x, 2.14, f"$S_m$  {shape_text(shared.inputs[0])}")
    diagram.arrow([(x, 2.075), (x, 1.935)])
    diagram.box(x, 1.84, 0.86, f"{_kernel(shared.module)} conv, ReLU", colour=CONV)
    diagram.text(x, 1.62, shape_text(shared.outputs[0]))
    for side, letter in ((-1, "gamma"), (1, "beta")):
        middle = x + side * 0.26
        diagram.arrow([(middle, 1.745), (middle, 1.485)])
        diagram.box(middle, 1.39, 0.46, f"{_kernel(spade.get_submodule(f'{letter}_conv'))} conv", colour=CONV)
        diagram.arrow([(middle, 1.295), (middle, 1.02)])
        diagram.text(middle + side * 0.05, 1.17, f"$\\{letter}$", size=NORMAL, ha="left" if side > 0 else "right")
    scale = "(1 + \\gamma)" if spade.gamma_offset else "\\gamma"
    diagram.text(x, 0.93, f"${scale} \\cdot \\mathrm{{IN}}(F) + \\beta$", size=NORMAL)
    diagram.text(x, 0.76, shape_text(steps[name].outputs[0]))
    diagram.text(x, 0.43, "SPADE", size=NORMAL)


def _draw_merge(diagram: Diagram, steps: dict[str, Step]) -> None:
    """Draw how the input of the residual blocks is put together (section 4.4)."""
    x, merge = 6.42, steps["image_decoder.fusion.merge"]
    for side, name, shape in zip((-1, 1), ("$F_m$", "$S_m$"), steps["image_decoder.fusion"].inputs, strict=True):
        diagram.text(x + side * 0.26, 2.1, f"{name}\n{shape_text(shape)}")
        diagram.arrow([(x + side * 0.2, 1.97), (x + side * 0.2, 1.79)])
    diagram.box(x, 1.69, 0.86, "concatenate", colour="white")
    diagram.arrow([(x, 1.595), (x, 1.33)])
    diagram.text(x + 0.05, 1.47, shape_text(merge.inputs[0]), ha="left")
    diagram.box(x, 1.235, 0.86, f"{_kernel(merge.module)} conv", colour=CONV)
    diagram.arrow([(x, 1.14), (x, 0.9)])
    diagram.text(x, 0.82, f"$F$  {shape_text(merge.outputs[0])}")


# --- Pieces -----------------------------------------------------------------------------------------------------------


def _title(part: str, step: Step) -> str:
    return f"{part}, {_count_text(step.parameters)} parameters"


def _count_text(count: int) -> str:
    """Print three significant digits: 25.1 M, 667 k."""
    return f"{count / 1e6:.3g} M" if count >= 999_500 else f"{count / 1e3:.3g} k"


def _draw_row(diagram: Diagram, slabs: list[Slab], *, start: float, end: float, y: float, entry: float) -> Point:
    """Draw slabs from `start` to `end`, an arrow into each, the first from `entry`; return where the last is left."""
    left = entry, y
    for i, slab in enumerate(slabs):
        x = start + i * (end - start) / (len(slabs) - 1)
        diagram.arrow([left, (x - SLAB / 2, y)])
        left = diagram.slab(x, y, slab.shape, colour=slab.colour, above=slab.above, stacked=slab.stacked)
    return left


def _conv_slab(steps: dict[str, Step], conv: str, last: str, *, colour: str = CONV) -> Slab:
    """Return the map behind a convolution and what follows it up to `last`."""
    return Slab(steps[last].outputs[0], colour, _kernel(steps[conv].module))


def _body_slabs(steps: dict[str, Step]) -> list[Slab]:
    name = "semantic_learner.body"
    body = steps[name].module
    if not isinstance(body, DenseBody):
        return [_repeated(steps, name, RESIDUAL)]
    return [
        _conv_slab(steps, f"{name}.conv", f"{name}.conv"),
        _repeated(steps, f"{name}.dense_blocks", DENSE),
        Slab(steps[f"{name}.fusion"].outputs[0], CONV, "fuse"),
        _repeated(steps, f"{name}.residual_blocks", RESIDUAL),
    ]


def _repeated(steps: dict[str, Step], name: str, colour: str) -> Slab:
    """Return the map behind a chain of equal blocks."""
    blocks = [step for path, step in steps.items() if path.rpartition(".")[0] == name]
    return Slab(blocks[-1].outputs[0], colour, f"×{len(blocks)}", len(blocks) > 1)


def _kernel(conv: Any) -> str:
    """Describe a convolution: its kernel, and its stride if it has one."""
    height, width = conv.kernel_size
    return f"{height}×{width}" + (f" / {conv.stride[0]}" if conv.stride[0] > 1 else "")


def _conv_words(conv: Any) -> str:
    return f"{_kernel(conv)} conv" + (", dil. 2" if conv.dilation[0] == 2 else "")


def _kinds(steps: dict[str, Step]) -> Iterator[tuple[str, str]]:
    """Name the colours that occur."""
    modules: set[type[nn.Module]] = {type(step.module) for step in steps.values()}
    yield CONV, "conv"
    yield NORMED, "conv, region norm"
    if ResidualDenseBlock in modules:
        yield DENSE, "residual dense block"
    if ResidualBlock in modules:
        yield RESIDUAL, "residual block"
    yield FUSION, "SPADE residual block" if SPADEResidualBlock in modules else "residual block, instance norm"
    yield UP, "conv, pixel shuffle, region norm"


def _draw_legend(diagram: Diagram, kinds: Iterable[tuple[str, str]], *, training: bool) -> None:
    x = 0.1
    for colour, words in kinds:
        diagram.box(x + 0.05, LEGEND, 0.1, "", colour=colour, height=0.1)
        x = diagram.text(x + 0.14, LEGEND, words, ha="left") + 0.13
    if training:
        diagram.arrow([(x, LEGEND), (x + 0.24, LEGEND)], dashed=True)
        diagram.text(x + 0.28, LEGEND, "training only", ha="left")
