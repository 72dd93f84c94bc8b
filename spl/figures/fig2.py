"""Figure 2: the architecture as named blocks, drawn from a forward pass of the network itself."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import EngFormatter

from spl.common.labels import method_title
from spl.config.methods import SPLRecipe
from spl.figures.style import INK, NORMAL, PAGE_WIDTH, RULE, SMALL, Drawing
from spl.steps.settings import Architecture, FigureSettings

CONV, NORMED, DENSE, RESIDUAL, FUSION, UP, TEACHER, SYMBOL = (
    "#d3e3f3", "#9dbfe6", "#d9c3e6", "#f0c48c", "#9fd0a0", "#d9e6a0", "#d0d0d0", "none",
)  # fmt: skip
"""Colours of blocks by kind; symbols of the paper have none."""

MARGIN, PITCH, WIDTH, HEIGHT, LINE = 0.06, 0.69, 0.58, 0.38, 0.98
"""Left margin, distance between the left sides of blocks, size of a block, and height of a line, in inches."""

Steps = dict[str, Any]
"""Result of `spl.models.trace.trace`."""


class Block(NamedTuple):
    """An operation or a symbol of the paper, and the shapes that leave it."""

    words: str
    shapes: Sequence[tuple[int, ...]]
    colour: str = SYMBOL


class Part(NamedTuple):
    """A part of the network, with its blocks in the order of computation."""

    title: str
    blocks: list[Block]


def draw_fig2(settings: FigureSettings, *, results: Path, data: Path) -> Drawing:
    """Draw encoder, semantic learner and decoder with shapes and numbers of parameters; nothing is read."""
    from spl.evaluation.measure_cost import build_network  # the other figures need not wait for torch
    from spl.models.trace import trace

    figure = settings.figures.fig2
    assert figure is not None
    recipe = settings.methods[figure.method]
    assert isinstance(recipe, SPLRecipe)
    built = Architecture.of(settings, figure.dataset, figure.method)
    network = build_network(built)
    assert network is not None
    steps = trace(network, image_size=built.image_size)
    lines = [[_encoder(steps)], [_learner(steps)], [_decoder(steps)], _fusion(steps)]
    if recipe.losses.lambda_prior > 0:
        teacher = f"{recipe.teacher}:\n{built.teacher.kind}" if built.teacher else "pretext\nnetwork"
        lines.append(_training(steps, teacher.replace("_", "\n")))
    caption = (
        f"The network of {method_title(figure.method)} for {built.image_size} × {built.image_size} px, drawn from the "
        "model itself: blocks and shapes are those of a forward pass. Convolutions have their kernel before them and "
        "their stride behind a slash."
    )
    return Drawing(_draw(lines), caption, {})


# --- Contents ---------------------------------------------------------------------------------------------------------


def _encoder(steps: Steps) -> Part:
    part = steps["image_encoder"]
    convs = [_conv(steps, f"image_encoder.conv{i}", NORMED, norm=f"image_encoder.norm{i}") for i in (1, 2, 3)]
    blocks = [Block("$I_m$, $M$", part.inputs), *convs, Block("$F_m$", part.outputs)]
    return Part(_title("(a) Image encoder $E_I$", part), blocks)


def _learner(steps: Steps) -> Part:
    part, body = steps["semantic_learner"], "semantic_learner.body"
    blocks = [Block("$I_m^{\\prime}$, $M'$:\nnearest ×2", part.inputs)]
    blocks += [_conv(steps, f"semantic_learner.conv{i}") for i in (1, 2, 3, 4)]
    if f"{body}.dense_blocks.0" in steps:
        blocks[-1] = _conv(steps, "semantic_learner.conv4", more="\n→ $x$")
        blocks += [_conv(steps, f"{body}.conv"), _chain(steps, f"{body}.dense_blocks", "residual\ndense block", DENSE)]
        blocks += [Block("fusion conv\n+ $x$", steps[f"{body}.fusion"].outputs, CONV)]
        body += ".residual_blocks"
    blocks += [_chain(steps, body, "residual\nblock", RESIDUAL), Block("$S_m$", steps[body].outputs)]
    return Part(_title("(b) Semantic learner $E_S$", part), blocks)


def _decoder(steps: Steps) -> Part:
    part, fusion, up = steps["image_decoder"], "image_decoder.fusion", "image_decoder.upsampling"
    blocks, name = [Block("$F_m$, $S_m$", part.inputs)], "SPADE\nres. block"
    if f"{fusion}.merge" in steps:
        blocks += [Block("concatenate", steps[f"{fusion}.merge"].inputs), _conv(steps, f"{fusion}.merge")]
        name = "residual\nblock"
    blocks += [_chain(steps, f"{fusion}.blocks", name, FUSION)]
    blocks += [_conv(steps, f"{up}.conv{i}", UP, norm=f"{up}.norm{i}", more="\npixel shuffle") for i in (1, 2)]
    losses = "$\\hat{I}$:\n$\\mathcal{L}_\\mathrm{img}$, $\\mathcal{L}_\\mathrm{adv}$"
    blocks += [_conv(steps, f"{up}.conv3"), Block(losses, steps[""].outputs[:1])]
    return Part(_title("(c) Image decoder", part), blocks)


def _fusion(steps: Steps) -> list[Part]:
    """Return a residual block of the decoder and its SPADE, which reads scale and shift from the prior (Eqs. 6, 7)."""
    name = "image_decoder.fusion.blocks.0"
    block, spade = steps[name], steps[f"{name}.norm1"]
    has_spade = f"{name}.norm1.shared_conv" in steps
    norm = Block("SPADE,\nReLU" if has_spade else "instance\nnorm, ReLU", spade.outputs, FUSION)
    blocks = [Block("$F$", block.inputs[:1])]
    for i in (1, 2):
        blocks += [norm, Block(_conv_words(block.module.get_submodule(f"conv{i}")), block.outputs, CONV)]
    parts = [Part("Residual block of the decoder", [*blocks, Block("+ $F$", block.outputs)])]
    if has_spade:
        scale = "(1 + \\gamma)" if spade.module.gamma_offset else "\\gamma"
        affine = [f"$\\{name}$: {_conv_words(getattr(spade.module, f'{name}_conv'))}" for name in ("gamma", "beta")]
        blocks = [Block("$S_m$", spade.inputs[1:]), _conv(steps, f"{name}.norm1.shared_conv", more=",\nReLU")]
        blocks += [Block("\n".join(affine), spade.outputs, CONV)]
        blocks += [Block(f"${scale} \\cdot$\n$\\mathrm{{IN}}(F) + \\beta$", spade.outputs)]
        parts.append(Part("SPADE", blocks))
    return parts


def _training(steps: Steps, teacher: str) -> list[Part]:
    """Return the frozen pretext network, and the adapter with the prior loss."""
    adapter, large = steps["semantic_learner.adapter"], steps["semantic_learner"].inputs[:1]
    frozen = [Block("$I'$", large), Block(teacher, adapter.outputs, TEACHER), Block("$S$", adapter.outputs)]
    loss = Block("$\\mathcal{L}_\\mathrm{prior}(S_m^{\\prime}, S)$", [])
    adapted = [Block("$S_m$", adapter.inputs), _conv(steps, "semantic_learner.adapter")]
    adapted += [Block("$S_m^{\\prime}$", adapter.outputs), loss]
    return [Part("Training only: teacher $H$, frozen", frozen), Part("Training only: adapter and prior loss", adapted)]


def _title(part: str, step: Any) -> str:
    """Add the number of parameters: 25.08 M, 667.04 k."""
    return f"{part}, {EngFormatter(places=2)(step.parameters)} parameters"


def _conv(steps: Steps, conv: str, colour: str = CONV, *, norm: str | None = None, more: str = "") -> Block:
    """Return a convolution with what follows it."""
    words = _conv_words(steps[conv].module) + more + ("\nregion norm" if norm else "")
    return Block(words, steps[norm or conv].outputs, colour)


def _chain(steps: Steps, name: str, words: str, colour: str) -> Block:
    """Return a chain of equal blocks."""
    blocks = [step for path, step in steps.items() if path.rpartition(".")[0] == name]
    return Block(f"{words} ×{len(blocks)}", blocks[-1].outputs, colour)


def _conv_words(conv: Any) -> str:
    """Name a convolution by its kernel, its stride and its dilation if it has one."""
    height, width = conv.kernel_size
    stride = f" / {conv.stride[0]}" if conv.stride[0] > 1 else ""
    return f"{height}×{width} conv{stride}" + (f",\ndilation {conv.dilation[0]}" if conv.dilation[0] > 1 else "")


# --- Drawing ----------------------------------------------------------------------------------------------------------


def _draw(lines: list[list[Part]]) -> Figure:
    """Draw lines of parts below each other on a sheet measured in inches, x to the right and y upwards."""
    height = LINE * len(lines)
    figure = Figure(figsize=(PAGE_WIDTH, height))
    axis = figure.add_axes((0, 0, 1, 1), xlim=(0, PAGE_WIDTH), ylim=(0, height))
    axis.set_axis_off()
    for i, parts in enumerate(lines):
        x = MARGIN
        for part in parts:
            _draw_part(axis, x, height - (i + 0.55) * LINE, part)
            x += PITCH * len(part.blocks)
    return figure


def _draw_part(axis: Axes, x: float, y: float, part: Part) -> None:
    axis.text(x, y + 0.34, part.title, fontsize=NORMAL, va="center")
    arrow = {"arrowstyle": "-|>", "mutation_scale": 6, "lw": 0.8, "color": INK, "shrinkA": 0, "shrinkB": 0}
    words = {"fontsize": SMALL, "ha": "center", "linespacing": 1.1}
    for i, block in enumerate(part.blocks):
        left, low = x + i * PITCH, y - HEIGHT / 2
        edge = "none" if block.colour == SYMBOL else INK
        axis.add_patch(Rectangle((left, low), WIDTH, HEIGHT, fc=block.colour, ec=edge, lw=RULE))
        axis.text(left + WIDTH / 2, y, block.words, va="center", **words)
        shapes = "\n".join("×".join(map(str, shape)) for shape in block.shapes)
        axis.text(left + WIDTH / 2, low - 0.04, shapes, va="top", **words)
        if i:
            axis.annotate("", (left, y), (left + WIDTH - PITCH, y), arrowprops=arrow)
