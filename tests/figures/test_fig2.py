"""Figure 2 says what the network is: its shapes, blocks and parameters, for every variant."""

import pytest
import torch

from spl.config.experiment import Figure2
from spl.config.methods import SPLModel
from spl.config.teachers import RandomTResNet
from spl.figures.draw_figure import FIGURES
from spl.models.build import build_generator
from spl.steps.settings import FigureSettings
from tests.analysis.fabricate import table_settings

SIZE = 48
TEACHER = RandomTResNet(kind="tresnet_random", layers=(1, 1), width=0.25)
VARIANTS = {
    "paper": {"semantic_learner": "residual", "fusion": "gamma"},
    "released": {"semantic_learner": "dense", "fusion": "one_plus_gamma"},
    "concat": {"semantic_learner": "residual", "fusion": "concat"},
}


def settings(variant, *, with_teacher=True):
    shown = table_settings(["paris"], ["spl"], kind=FigureSettings)
    recipe = shown.methods["spl"]
    losses = recipe.losses.model_copy(update={"lambda_prior": float(with_teacher)})
    model = SPLModel(**VARIANTS[variant], semantic_blocks=3, fusion_blocks=2, width=8)
    return shown.model_copy(update={
        "datasets": {"paris": shown.datasets["paris"].model_copy(update={"image_size": SIZE})},
        "methods": {"spl": recipe.model_copy(update={"teacher": "any", "model": model, "losses": losses})},
        "teachers": {"any": TEACHER},
        "figures": shown.figures.model_copy(update={"fig2": Figure2(dataset="paris", method="spl")}),
    })  # fmt: skip


@pytest.fixture(scope="module")
def figures(draw):
    chosen = {variant: settings(variant) for variant in VARIANTS}
    chosen["no teacher"] = settings("paper", with_teacher=False)
    return {name: draw("fig2", figure) for name, figure in chosen.items()}


@pytest.fixture(scope="module")
def words(figures):
    """The lines of text in every figure."""
    return {
        name: [line for text in figure.axes[0].texts for line in text.get_text().split("\n")]
        for name, figure in figures.items()
    }


@pytest.mark.parametrize("variant", VARIANTS)
def test_shapes_and_numbers_of_parameters_are_those_of_the_network(variant, words):
    network = build_generator(settings(variant).methods["spl"], image_size=SIZE, teacher_channels=32)
    image, mask = torch.rand(1, 3, SIZE, SIZE), torch.ones(1, 1, SIZE, SIZE)
    output, adapted = network(image, mask)
    prior, features = network.semantic_prior(image, mask), network.image_encoder(image, mask)
    large = torch.nn.functional.interpolate(image, scale_factor=2)
    for tensor in (image, mask, output, prior, features, large, adapted):
        assert "×".join(map(str, tensor.shape[1:])) in words[variant]
    halves = ["8×48×48", "16×24×24", "32×12×12", "8×96×96", "16×48×48", "32×24×24"]
    assert set(halves) <= set(words[variant])
    for part in ("image_encoder", "semantic_learner", "image_decoder"):
        count = sum(parameter.numel() for parameter in network.get_submodule(part).parameters())
        printed = [float(line.split()[-3]) for line in words[variant] if line.endswith("k parameters")]
        assert any(thousands == pytest.approx(count / 1e3, rel=0.005) for thousands in printed)


def test_every_variant_names_its_own_blocks(words):
    blocks = {
        "dense block ×3": ["released"],
        "block ×3": ["paper", "concat"],
        "res. block ×2": ["paper", "released"],
        "concatenate": ["concat"],
        "$\\gamma \\cdot$": ["paper"],
        "$(1 + \\gamma) \\cdot$": ["released"],
    }
    for block, variants in blocks.items():
        assert [variant for variant in VARIANTS if block in words[variant]] == variants


def test_a_teacher_of_any_kind_is_drawn_and_none_without_a_prior_loss(words):
    first = words["paper"].index("any:")
    assert words["paper"][first : first + 3] == ["any:", "tresnet", "random"]
    assert any("prior" in word for word in words["paper"])
    assert not any("Training" in word or "prior" in word for word in words["no teacher"])


@pytest.mark.parametrize("name", [*VARIANTS, "no teacher"])
def test_letters_are_large_enough_and_apart(name, figures, check_texts):
    check_texts(figures[name])


def test_the_caption_names_the_network():
    drawing = FIGURES["fig2"](settings("paper"), results=None, data=None)
    assert drawing.caption.startswith("The network of SPL for 48 × 48 px, drawn from the model itself")
    assert drawing.inputs == {}
