"""Tables and figures depend on what they show and on nothing else."""

import pytest

from spl.common.errors import ParamsError
from spl.config.load import load_params
from spl.steps.report_slices import (
    FIGURES,
    ablation_settings,
    claim_settings,
    drawn_figures,
    example_settings,
    figure_files,
    grid_settings,
    table_settings,
)
from spl.steps.slices import canonical
from tests.conftest import bare, set_value

ALL_FIGURES = {"fig1", "fig2", "fig3", "fig4", "fig5"}


def slices(params) -> dict[str, str]:
    found = {"table1": table_settings(params), "figure4": ablation_settings(params), "claims": claim_settings(params)}
    found |= {name: FIGURES[name](params) for name in drawn_figures(params)}
    found |= {f"examples/{dataset}": example_settings(params, dataset) for dataset in params.datasets}
    return {name: canonical(value) for name, value in found.items()}


EXAMPLES = {"examples/places2", "examples/celeba", "examples/paris"}


@pytest.mark.parametrize(
    ("path", "value", "changed"),
    [
        ("figures.examples", 2, EXAMPLES),
        ("figures.choice", "seeded", {"fig1", "fig3", "fig5"}),
        ("figures.clusters.number", 3, {"fig1", "fig5"}),
        ("figures.fig1.methods", ["rn", "spl"], {"fig1"}),
        ("figures.fig2.dataset", "celeba", {"fig2"}),
        ("figures.fig3.images", {"paris": 2}, {"fig3"}),
        ("figures.fig5.images", 2, {"fig5"}),
        ("evaluation.bootstrap.samples", 500, {"table1", "figure4", "claims", "fig4"}),
        ("ablations.methods", ["spl_no_prior"], {"table1", "figure4", "claims", "fig4", *EXAMPLES}),
        ("methods.spl.training.lr", 0.001, set()),
        ("methods.spl.model.fusion_blocks", 3, {"fig2"}),
        ("methods.rn.training.lr", 0.001, set()),
        ("detection.min_score", 0.5, set()),
    ],
)
def test_a_change_reaches_only_what_shows_it(raw_params, write_params, path, value, changed):
    before = slices(load_params(write_params(raw_params)))
    set_value(raw_params, path, value)
    after = slices(load_params(write_params(raw_params)))
    assert {name for name in before if before[name] != after[name]} == changed


def test_table_1_has_no_ablations_and_figure_4_nothing_else(raw_params, write_params):
    raw_params["seeds"] = [2, 3]
    params = load_params(write_params(raw_params))
    table, ablations = table_settings(params), ablation_settings(params).table
    assert table.methods == tuple(params.table_methods)
    assert table.seeds["celeba"]["telea"] == (2,)
    assert table.seeds["celeba"]["spl"] == (2, 3)
    assert ablations.methods == ("spl", "spl_no_prior", "spl_detector", "spl_concat")
    assert ablations.seeds == {"paris": dict.fromkeys(ablations.methods, (2, 3))}


def test_the_grid_compares_its_points_with_the_method_they_vary(repository):
    params = load_params(repository / "presets/grid.yaml")
    grid = grid_settings(params)
    assert grid.table.methods == ("spl", *(f"spl_grid_{number:02d}" for number in range(1, 11)))
    assert grid.points["spl_grid_01"]["lambda_img"] == 3.0
    assert drawn_figures(params) == ["fig2", "grid"]


def test_figures_of_an_experiment(raw_params, write_params):
    assert set(drawn_figures(load_params(write_params(raw_params)))) == ALL_FIGURES
    params = load_params(write_params(bare(raw_params)))
    assert drawn_figures(params) == []
    for name in ("fig1", "fig3", "fig5"):
        assert figure_files(params, name) == {}
    with pytest.raises(ParamsError, match=r"figures\.fig1 is null in params\.yaml"):
        FIGURES["fig1"](params)
    assert ablation_settings(params).ablations is None
    assert grid_settings(params).points == {}


def test_a_figure_reads_the_first_seed_of_what_it_shows_and_never_weights(raw_params, write_params):
    raw_params["seeds"] = [7, 2]
    params = load_params(write_params(raw_params))
    files = figure_files(params, "fig5")
    assert files == {
        "per_image": [f"results/eval/places2/{method}/seed7/per_image.csv" for method in ("ec", "spl")],
        "images": ["data/prepared/places2/manifest.csv"],
        "pairs": ["data/pairs/places2.csv"],
        "masks": ["data/masks/masks.csv"],
        "guidance": [f"results/guidance/places2/{method}.safetensors" for method in ("spl", "ec")],
    }
    assert figure_files(params, "fig1")["detections"] == [
        f"results/detections/places2/{pictures}.csv" for pictures in ("ground_truth", "rfr", "ec", "spl")
    ]
    assert figure_files(params, "fig3")["images"] == [
        f"data/prepared/{dataset}/manifest.csv" for dataset in ("places2", "celeba", "paris")
    ]
    for name in ("fig1", "fig3", "fig5"):
        assert not any("weights" in file for listed in figure_files(params, name).values() for file in listed)
