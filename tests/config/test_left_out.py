"""What becomes of an experiment without a dataset or a run: everything else stays, and says what it lacks."""

import pytest

from spl.common.errors import ParamsError
from spl.config.load import load_params
from spl.steps.settings import RunSettings, drawn_figures

FILE = "weights missing: x.pth"


@pytest.fixture
def load(raw_params, write_params):
    """A function that loads the demo with some of it left out."""
    return lambda **left_out: load_params(write_params(raw_params | {"left_out": left_out}))


@pytest.mark.parametrize(
    ("left_out", "datasets", "dropped"),
    [
        ("places2/rn", ["places2", "celeba", "paris"], {}),  # figure 3 leaves its place empty
        ("celeba", ["places2", "paris"], {}),
        ("places2/spl", ["places2", "celeba", "paris"], dict.fromkeys(("fig1", "fig5"), f"spl on places2: {FILE}")),
        ("paris", ["places2", "celeba"], {"fig2": f"spl on paris: {FILE}", "fig4": f"spl on paris: {FILE}"}),
        ("places2", ["celeba", "paris"], dict.fromkeys(("fig1", "fig5"), None)),
    ],
)
def test_only_figures_that_need_what_is_left_out_are_dropped(load, demo_params, left_out, datasets, dropped):
    params = load(**{left_out: FILE})
    assert list(params.datasets) == datasets
    assert set(drawn_figures(params)) == set(drawn_figures(demo_params)) - dropped.keys()
    reasons = {name.removeprefix("figures/"): why for name, why in params.left_out.items() if name != left_out}
    assert reasons.keys() == dropped.keys()
    assert all(why in (None, reasons[name]) for name, why in dropped.items())
    assert (params.ablations is None) == ("fig4" in dropped)
    runs = {f"{run.dataset}/{run.method}" for run in params.runs()}
    assert not any(run.startswith(left_out) for run in runs if "/" not in left_out or run == left_out)
    assert set(params.figures.fig3.images) == set(datasets)
    assert (params.detection is None) == (params.figures.fig3.detections is None) == ("places2" not in datasets)


def test_a_cell_that_was_never_released_is_not_run_and_cannot_be_shown_by_its_prior(raw_params, write_params):
    raw_params["methods"]["ec"]["weights"] = {"celeba": {"source": "not_released"}}
    params = load_params(write_params(raw_params))
    assert "ec" not in params.methods_of("celeba")
    with pytest.raises(ParamsError, match="ec on celeba is left out: not released"):
        RunSettings.of(params, dataset="celeba", method="ec")
    raw_params["figures"]["fig5"]["dataset"] = "celeba"
    with pytest.raises(ParamsError, match="figures: ec is not run on celeba: not released"):
        load_params(write_params(raw_params))
    raw_params["methods"]["ec"]["weights"]["celeba"]["source"] = "unreleased"
    with pytest.raises(ParamsError, match=r"methods\.ec\.weights\.celeba\.source: must be one of"):
        load_params(write_params(raw_params))
