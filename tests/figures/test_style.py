"""One look for all figures: a colour for every method, and files that are whole and reproducible."""

import os
import subprocess
import sys

import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from spl.figures.style import PALETTE, distinct_colours, method_colours, save_figure


def test_a_method_has_the_same_colour_whatever_stands_beside_it():
    alone, together = method_colours(["spl"]), method_colours(["telea", "rn", "spl", "mine"])
    assert together["spl"] == alone["spl"]
    assert len(set(together.values())) == 4


def test_methods_of_the_paper_and_its_ablations_are_told_apart():
    methods = ["mfe", "rfr", "rn", "ec", "spl", "spl_released", "spl_no_prior", "spl_detector", "spl_concat"]
    assert len(set(method_colours(methods).values())) == len(methods)


@pytest.mark.parametrize("count", [1, 9, 20, 27])
def test_colours_are_distinct_and_begin_with_the_safe_ones(count):
    colours = distinct_colours(count)
    assert len(set(colours)) == count
    assert tuple(colours[:9]) == PALETTE[:count]
    assert all(0 <= channel <= 1 for colour in colours for channel in to_rgb(colour))


def test_a_figure_that_fails_leaves_nothing(tmp_path):
    figure = Figure(figsize=(1, 1))
    figure.text(0.5, 0.5, "$\\no_such_letter$")
    with pytest.raises(ValueError, match="no_such_letter"):
        save_figure(figure, tmp_path / "fig", "")
    assert not list(tmp_path.iterdir())


DRAW = r"""
from pathlib import Path
from spl.report.curves import draw_curves  # before anything else that draws, as in a report
from spl.figures.style import Figure, save_figure, to_svg
figure = Figure(figsize=(2, 1))
figure.subplots().plot([0.5, 1.5], label="\xe9")
figure.legend()
save_figure(figure, Path("figure"), "L\xe4den")
Path("figure.svg").write_bytes(to_svg(figure))
"""

MATPLOTLIBRC = """
backend: no_such
text.usetex: True
font.family: monospace
axes.facecolor: red
lines.linewidth: 7
savefig.bbox: tight
pdf.compression: 0
svg.fonttype: none
"""

ENVIRONMENT = {
    "MPLBACKEND": "module://matplotlib_inline.no_such",  # a notebook's, inherited where its package is not installed
    "LC_ALL": "C",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONIOENCODING": "ascii",
}


def test_a_figure_has_the_same_bytes_whatever_the_environment_and_a_matplotlibrc_say(tmp_path, monkeypatch):
    """Seen to fail before: started from a notebook, a traceback after all trainings."""
    monkeypatch.chdir(tmp_path)
    exec(DRAW, {})
    expected = {file: file.read_bytes() for file in tmp_path.iterdir()}
    assert {file.name for file in expected} == {"figure.pdf", "figure.png", "figure.svg"}
    for file in expected:
        file.unlink()
    (tmp_path / "matplotlibrc").write_text(MATPLOTLIBRC)
    subprocess.run([sys.executable, "-c", DRAW], env=os.environ | ENVIRONMENT, check=True)
    assert {file: file.read_bytes() for file in expected} == expected
