"""Figures 1, 3 and 5 and the examples: which picture stands where, and files fit to print."""

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from spl.common.errors import DataError
from spl.common.tables import read_table
from spl.config.experiment import Clusters, Figure1, Figure3, Figure5
from spl.data.images import read_rgb
from spl.figures.choose import choose_pictures
from spl.figures.examples import draw_examples
from spl.figures.fig1 import draw_fig1
from spl.figures.fig3 import draw_fig3
from spl.figures.fig5 import PREDICTED, draw_edges, draw_fig5
from spl.figures.pictures import Evidence
from spl.steps.report_slices import Choice, ExampleSettings, Figure1Settings, Figure3Settings, Figure5Settings, Shown
from tests.figures.fabricate import Dataset

CHOICE = Choice(seed=1, choice="median", min_hole_ratio=0.2)
CLUSTERS = Clusters(number=4, scope="set", images=6)
SHOWN = Shown(seeds={dataset: {"rn": 1, "ec": 1, "spl": 1} for dataset in ("places2", "paris")})
NAMES = [f"test/{i}.png" for i in range(6)]
FIGURES = {
    "fig1": (
        draw_fig1,
        Figure1Settings(
            figure=Figure1(dataset="places2", methods=("rn", "spl"), prior="spl"),
            choice=CHOICE, clusters=CLUSTERS, shown=SHOWN,
        ),
    ),
    "fig3": (
        draw_fig3,
        Figure3Settings(
            figure=Figure3(methods=("rn", "spl"), images={"places2": 2, "paris": 1}, detections="places2"),
            choice=CHOICE, shown=SHOWN,
        ),
    ),
    "fig5": (
        draw_fig5,
        Figure5Settings(
            figure=Figure5(dataset="paris", prior="spl", edges="ec", images=2),
            choice=CHOICE, clusters=CLUSTERS, shown=SHOWN,
        ),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def figures(draw, folders):
    return {name: draw(*figure, **folders) for name, figure in FIGURES.items()}


@pytest.fixture
def evidence(folders):
    """A function that opens a dataset's evidence."""
    return lambda dataset: Evidence(**folders, dataset=dataset, seeds=SHOWN.seeds[dataset])


def panes(figure):
    """Return the picture in every pane, in rows from top to bottom, each from left to right."""
    axes = sorted(figure.axes, key=lambda axis: (-round(axis.get_position().y0, 3), axis.get_position().x0))
    return [np.asarray(axis.images[0].get_array()) for axis in axes]


def the_one(evidence, truth):
    """Return the name of the picture that this is."""
    (image,) = [name for name in NAMES if np.array_equal(evidence.truth(name), truth)]
    return image


@pytest.mark.parametrize("name", FIGURES)
def test_both_files_are_valid_and_the_same_when_drawn_again(name, folders, tmp_path):
    draw, settings = FIGURES[name]
    with matplotlib.rc_context({"savefig.dpi": 60}):
        for stem in ("once", "twice"):
            draw(settings, **folders, stem=tmp_path / stem)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["once.pdf", "once.png", "twice.pdf", "twice.png"]
    with Image.open(tmp_path / "once.png") as picture:
        assert picture.width == 7 * 60
        assert 60 < picture.height < 9 * 60
    assert (tmp_path / "once.pdf").read_bytes().startswith(b"%PDF")
    for suffix in (".pdf", ".png"):
        assert (tmp_path / f"once{suffix}").read_bytes() == (tmp_path / f"twice{suffix}").read_bytes()


@pytest.mark.parametrize("name", FIGURES)
def test_letters_are_large_enough_and_apart(name, figures, check_texts):
    check_texts(figures[name])


def test_figure_1_shows_input_methods_prior_and_ground_truth_of_one_picture(figures, evidence):
    given, rn, spl, prior, truth = panes(figures["fig1"])
    places2 = evidence("places2")
    image = the_one(places2, truth)
    hole = places2.hole(image)
    assert hole.mean() > 0.15
    np.testing.assert_array_equal(given[~hole], truth[~hole])
    assert (given[hole] == 255).all()
    folder, name = places2.results / "eval/places2", image.removeprefix("test/")
    np.testing.assert_array_equal(rn, read_rgb(folder / "rn/seed1/composited" / name))
    np.testing.assert_array_equal(spl, read_rgb(folder / "spl/seed1/composited" / name))
    assert prior.shape == (8, 8, 3)


def test_figure_1_draws_as_many_boxes_as_were_found(figures, evidence):
    places2 = evidence("places2")
    image = the_one(places2, panes(figures["fig1"])[-1])
    found = [read_table(places2.results / f"detections/places2/{s}.csv") for s in ("rn", "spl", "ground_truth")]
    rn, spl, truth = (int((table["image"] == image).sum()) for table in found)
    assert [len(axis.patches) for axis in figures["fig1"].axes] == [0, rn, spl, 0, truth]
    assert truth > 0


def test_figure_3_shows_methods_below_each_other_and_no_picture_twice(figures, evidence):
    shown = np.array(panes(figures["fig3"])).reshape(4, 4, 32, 32, 3)
    assert len({truth.tobytes() for truth in shown[-1]}) == 4
    for column, dataset in enumerate(["places2", "places2", "paris", "places2"]):
        source = evidence(dataset)
        image = the_one(source, shown[-1, column])
        expected = [source.masked(image), source.filled(image, "rn"), source.filled(image, "spl"), source.truth(image)]
        np.testing.assert_array_equal(shown[:, column], expected)


def test_figure_3_draws_detections_in_the_last_column_only(figures):
    boxes = np.array([bool(axis.patches) for axis in figures["fig3"].axes]).reshape(4, 4)
    assert boxes[1:, -1].all()
    assert boxes.sum() == 3


def test_figure_5_shows_edges_and_priors_of_the_chosen_pictures(figures, evidence):
    paris, shown = evidence("paris"), panes(figures["fig5"])
    images = choose_pictures(paris.table("spl"), CHOICE, 2)
    for image, row in zip(images, (shown[:6], shown[6:]), strict=True):
        np.testing.assert_array_equal(row[0], paris.masked(image))
        np.testing.assert_array_equal(row[2], paris.filled(image, "ec"))
        np.testing.assert_array_equal(row[4], paris.filled(image, "spl"))
        np.testing.assert_array_equal(row[5], paris.truth(image))


def test_only_pictures_whose_prior_is_kept_are_shown(draw, tmp_path):
    dataset = Dataset(tmp_path, "paris", ("rn", "ec", "spl"), 6, 32, 1)
    dataset.write()
    dataset.names, dataset.truths = dataset.names[:3], dataset.truths[:3]
    dataset.write_guidance()
    folders = {"results": tmp_path / "results", "data": tmp_path / "data"}
    settings = FIGURES["fig5"][1].model_copy(
        update={"choice": CHOICE.model_copy(update={"min_hole_ratio": 0.0}),
                "figure": Figure5(dataset="paris", prior="spl", edges="ec", images=3)}
    )  # fmt: skip
    shown = panes(draw(draw_fig5, settings, **folders))
    assert {shown[i].tobytes() for i in (5, 11, 17)} == {truth.tobytes() for truth in dataset.truths}
    many = settings.model_copy(update={"figure": settings.figure.model_copy(update={"images": 4})})
    with pytest.raises(DataError, match="only 3 can be taken"):
        draw(draw_fig5, many, **folders)


def test_edges_are_black_outside_and_blue_inside_the_hole():
    edges = np.array([[255, 255], [0, 0]], np.uint8)
    drawing = draw_edges(edges, np.array([[True, False], [True, False]]))
    np.testing.assert_array_equal(drawing[0, 0], np.round(255 * np.array(to_rgb(PREDICTED))))
    assert drawing[0, 1].max() < 64
    assert (drawing[1] == 255).all()


def test_examples_read_the_run_of_the_named_seed(folders, tmp_path):
    pairs = tmp_path / "pairs.csv"
    evaluation = folders["results"] / "eval"
    read_table(evaluation / "paris/spl/seed1/per_image.csv").to_csv(pairs, index=False)
    settings = ExampleSettings(dataset="paris", methods={"rn": 1, "spl": 1}, examples=3)
    places = {
        "evidence": evaluation,
        "images": folders["data"] / "prepared/paris/manifest.csv",
        "masks": folders["data"] / "masks/masks.csv",
    }
    draw_examples(settings, **places, pairs=pairs, picture=tmp_path / "examples.png")
    with Image.open(tmp_path / "examples.png") as picture:
        assert picture.width == 4 * 1.2 * 300
    other = settings.model_copy(update={"methods": {"rn": 2}})
    with pytest.raises(DataError, match="seed2"):
        draw_examples(other, **places, pairs=pairs, picture=tmp_path / "other.png")
