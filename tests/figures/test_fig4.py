"""Figure 4 shows what its table says: bars, whiskers of the paired difference, single runs."""

import pandas as pd
import pytest

from spl.analysis.compare_ablations import COLUMNS
from spl.common.errors import DataError
from spl.figures.fig4 import draw_fig4
from spl.steps.settings import FigureSettings

METHODS = ("spl", "spl_no_prior", "spl_detector", "spl_concat")


def fabricate(path, *, seeds):
    rows = []
    for metric, base, step in (("psnr", 24.0, 0.3), ("ssim", 0.8, 0.01), ("mae", 0.02, -0.001)):
        for i, method in enumerate(METHODS):
            value = base - i * step
            row = {"metric": metric, "method": method, "dataset": "paris", "value": value, "n_images": 96,
                   "n_seeds": seeds,
                   "seed_values": " ".join(str(value + step * j / 5) for j in range(seeds))}  # fmt: skip
            if i:
                differences = {"": -i, "_low": -i - 0.4, "_high": -i + 0.7}
                row |= {f"difference{end}": steps * step for end, steps in differences.items()}
                row |= {f"method{end}": 2 * row[f"difference{end}"] for end in ("_low", "_high") if seeds > 1}
            rows += [row | {"mask_ratio": "all"}, row | {"mask_ratio": "40-60", "value": 1000.0}]
    pd.DataFrame(rows, columns=COLUMNS).to_csv(path, index=False)


@pytest.fixture
def drawn(demo_params, tmp_path):
    """A function that draws figure 4."""

    def run(seeds=1):
        fabricate(tmp_path / "ablations.csv", seeds=seeds)
        return draw_fig4(FigureSettings.of(demo_params, figure="fig4"), results=tmp_path, data=tmp_path).figure

    return run


def test_a_panel_for_every_metric_and_a_bar_for_every_method(drawn):
    panels = drawn().axes
    assert [axis.get_title() for axis in panels] == ["PSNR ↑", "SSIM ↑", "MAE ↓"]
    assert [bar.get_height() for bar in panels[0].containers[0]] == pytest.approx([24.0, 23.7, 23.4, 23.1])
    assert panels[0].get_xticklabels()[1].get_text() == "w/o S"


@pytest.mark.parametrize(
    ("seeds", "kind", "ends"),
    [
        (1, "these weights", [24.0 - 0.42, 24.0 - 0.09]),
        (2, "these weights", [24.0 - 0.42, 24.0 - 0.09]),
        (3, "the method", [24.0 - 0.84, 24.0 - 0.18]),
    ],
)
def test_whiskers_are_the_interval_of_the_difference_and_name_what_it_is_about(drawn, seeds, kind, ends):
    figure = drawn(seeds=seeds)
    segments = figure.axes[0].collections[0].get_segments()
    found = [segment[:, 1].tolist() for segment in segments if len(segment)]
    assert found[0] == pytest.approx(ends)
    assert len(found) == 3  # the reference has none
    assert f"Whiskers, about {kind}: 95%" in figure.get_supxlabel()


def test_the_cut_axis_shows_everything_and_says_that_it_is_cut(drawn):
    figure = drawn()
    for axis in figure.axes:
        low, high = axis.get_ylim()
        heights = [bar.get_height() for bar in axis.containers[0]]
        assert 0 < low < min(heights)
        assert max(heights) < high
    assert "do not start at 0" in figure.get_supxlabel()


@pytest.mark.parametrize(("seeds", "dots"), [(1, 0), (3, 4)])
def test_single_runs_are_dots_where_there_are_several(drawn, seeds, dots):
    figure = drawn(seeds)
    lines = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert len(lines) == dots
    assert all(len(line.get_ydata()) == seeds for line in lines)
    assert ("single runs" in figure.get_supxlabel()) == (seeds > 1)


def test_no_ablations_is_said(demo_params, tmp_path):
    (tmp_path / "ablations.csv").write_text(",".join(COLUMNS) + "\n")
    with pytest.raises(DataError, match="no ablations"):
        draw_fig4(FigureSettings.of(demo_params, figure="fig4"), results=tmp_path, data=tmp_path)
