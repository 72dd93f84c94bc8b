"""The table of costs: counted operations are the published ones, and every method has a row."""

import pandas as pd
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from spl.config.load import load_params
from spl.evaluation.measure_cost import build_network, measure_cost, measure_method
from spl.models.ec import InpaintGenerator
from spl.models.rfr import build_rfr
from spl.models.rn import build_rn
from spl.models.spl import build_spl
from spl.steps.settings import Architecture, CostSettings

CPU = torch.device("cpu")


def convolutions(network, *channels):
    """Billions of multiplications in the convolutions of one forward at 256 x 256, counted on a sixteenth of it."""
    inputs = [torch.zeros(1, count, 64, 64) for count in channels]
    operations = FlopCounterMode(display=False)
    with operations, torch.no_grad():
        network(*inputs)
    return 16 * operations.get_flop_counts()["Global"][torch.ops.aten.convolution] / 2e9


@pytest.mark.parametrize(
    ("build", "channels", "gmacs"),
    [
        (lambda: build_spl(semantic_learner="dense", semantic_blocks=16, fusion="one_plus_gamma"), (3, 1), 211),
        (build_rn, (3, 1), 54),
        (build_rfr, (3, 1), 121),
        (InpaintGenerator, (3, 1, 1), 49),
    ],
    ids=["spl", "rn", "rfr", "ec"],
)
def test_published_operations(build, channels, gmacs):
    assert convolutions(build(), *channels) == pytest.approx(gmacs, abs=1)


def test_every_method_once_for_every_image_size(raw_params, write_params, tmp_path):
    raw_params["datasets"]["paris"]["image_size"] = 32
    raw_params["methods"] = {name: raw_params["methods"][name] for name in ("telea", "rn", "spl")}
    raw_params |= {"ablations": None, "detection": None}
    raw_params["figures"] |= {"fig1": None, "fig3": None, "fig5": None}
    settings = CostSettings.of(load_params(write_params(raw_params)))
    measure_cost(settings, tmp_path / "cost.csv", device=CPU)
    table = pd.read_csv(tmp_path / "cost.csv")
    assert {tuple(row) for row in table[["method", "image_size"]].itertuples(index=False)} == {
        (method, size) for method in ("telea", "rn", "spl") for size in (32, 64)
    }
    assert (table["seconds_per_image"] > 0).all()
    assert (table["peak_memory_mib"] > 0).all()
    networks = table[table["method"] != "telea"].set_index(["method", "image_size"])
    assert networks["gmacs"].notna().all()
    assert networks.loc[("rn", 64), "gmacs"] == pytest.approx(4 * networks.loc[("rn", 32), "gmacs"], rel=0.05)
    assert networks.loc[("rn", 64), "parameters"] == networks.loc[("rn", 32), "parameters"]


def test_released_spl_counts_the_channels_of_its_own_teacher(repository):
    params = load_params(repository / "presets/paper.yaml")
    built = Architecture.of(params, "paris", "spl_released").model_copy(update={"released": True, "teacher": None})
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in build_network(built).parameters()) == 45_597_223


def test_a_row_counts_the_parameters_of_the_recipe(demo_params):
    built = next(built for built in CostSettings.of(demo_params).methods if built.method == "rn")
    expected = sum(
        p.numel() for p in build_rn(width=built.recipe.model.width, blocks=built.recipe.model.blocks).parameters()
    )
    assert measure_method(built, "cpu")["parameters"] == expected
