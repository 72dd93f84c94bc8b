"""Figures 1, 3 and 5 and the examples: the place of every image, the captions, and files fit to print."""

import shutil

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from spl.common.errors import DataError, ParamsError
from spl.common.files import read_json
from spl.common.tables import read_table
from spl.config.experiment import Clusters, Design, Figure1, Figure3, Figure5, Figures
from spl.config.methods import LaMaModel, LaMaRecipe, ReleasedWeights
from spl.data.images import read_rgb
from spl.figures.choose import choose_images
from spl.figures.draw_examples import draw_examples
from spl.figures.draw_figure import FIGURES as FIGURES_BY_NAME
from spl.figures.draw_figure import draw_figure
from spl.figures.fig5 import PREDICTED, draw_edges
from spl.figures.images import Evidence
from spl.steps.settings import ExampleSettings, FigureSettings
from tests.analysis.fabricate import table_settings
from tests.figures.fabricate import Dataset

DATASETS, METHODS = ("places2", "paris"), ("rn", "ec", "spl")
SECTION = Figures(
    examples=3, choice="median", min_hole_ratio=0.2, clusters=Clusters(number=4, scope="set", images=6), fig2=None,
    fig1=Figure1(dataset="places2", methods=("rn", "spl"), prior="spl"),
    fig3=Figure3(methods=("rn", "spl"), images={"places2": 2, "paris": 1}, detections="places2"),
    fig5=Figure5(dataset="paris", prior="spl", edges="ec", images=2),
)  # fmt: skip
SETTINGS = table_settings(DATASETS, METHODS, kind=FigureSettings, figures=SECTION)
NAMES = [f"test/{i}.png" for i in range(6)]
FIGURES = ("fig1", "fig3", "fig5")


@pytest.fixture(scope="module")
def figures(draw, folders):
    return {name: draw(name, SETTINGS, **folders) for name in FIGURES}


@pytest.fixture
def evidence(folders):
    """A function that opens a dataset's evidence."""
    return lambda dataset: Evidence.of(SETTINGS, dataset, METHODS, **folders)


def panes(figure):
    """Return the image in every pane, in rows from top to bottom, each from left to right."""
    axes = sorted(figure.axes, key=lambda axis: (-round(axis.get_position().y0, 3), axis.get_position().x0))
    return [np.asarray(axis.images[0].get_array()) for axis in axes]


def the_one(evidence, truth):
    """Return the name of this image."""
    (image,) = [name for name in NAMES if np.array_equal(evidence.truth(name), truth)]
    return image


@pytest.mark.parametrize("name", FIGURES)
def test_a_figures_files_are_the_same_when_drawn_again_and_its_record_names_every_table(name, folders, tmp_path):
    settings = SETTINGS.model_copy(update={"figure": name})
    with matplotlib.rc_context({"savefig.dpi": 60}):
        for stem in ("once", "twice"):
            draw_figure(settings, **folders, out=tmp_path / f"{stem}.pdf")
    with Image.open(tmp_path / "once.png") as image:
        assert image.width == 7 * 60
        assert 60 < image.height < 9 * 60
        caption = image.info["Description"]
    assert "Rule: of the test images" in caption
    assert ("a tone of grey, without a meaning of its own" in caption) == (name != "fig3")
    assert ("the objects that the detector finds (score at least" in caption) == (name != "fig5")
    assert ("façades (Paris layout)" if name == "fig5" else "scenes (Places2 layout)") in caption
    assert "Shown: p" in caption
    assert (tmp_path / "once.pdf").read_bytes().startswith(b"%PDF")
    for suffix in (".pdf", ".png"):
        assert (tmp_path / f"once{suffix}").read_bytes() == (tmp_path / f"twice{suffix}").read_bytes()
    record, shown = read_json(tmp_path / "once.json"), SECTION.shown()[name]
    assert (record["step"], record["wildcards"]) == ("draw_figure", {"figure": name})
    read = {folders["results"] / f"eval/{d}/{m}/seed1/per_image.csv" for d, m in shown.filled}
    read |= {folders["data"] / f"prepared/{d}/manifest.csv" for d, _ in shown.filled}
    read |= {folders["results"] / f"priors/{d}/{m}.safetensors" for d, m in shown.priors}
    read |= {folders["results"] / f"detections/{d}/{m}.csv" for d, m in shown.searched}
    read |= {folders["results"] / f"detections/{d}/ground_truth.csv" for d, _ in shown.searched}
    read |= {folders["data"] / "masks/masks.csv"}
    assert {file["path"] for file in record["inputs"].values()} == set(map(str, read))


@pytest.mark.parametrize("name", FIGURES)
def test_letters_are_large_enough_and_apart(name, figures, check_texts):
    check_texts(figures[name])


def test_figure_1_shows_input_methods_prior_and_ground_truth_of_one_image(figures, evidence):
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
    assert [bool(axis.collections) for axis in figures["fig1"].axes] == [False, False, False, True, False]
    (border,) = figures["fig1"].axes[3].collections
    corners = np.concatenate([path.vertices for path in border.get_paths()])
    places = ((corners + 0.5) * 4 - 0.5).round(3)  # the prior's cells are four pixels wide
    assert all(hole[*np.floor(place).astype(int)[::-1]] != hole[*np.ceil(place).astype(int)[::-1]] for place in places)


def test_figure_3_shows_methods_below_each_other_and_no_image_twice(figures, evidence):
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


def test_figure_3_leaves_the_place_of_a_run_that_is_left_out_empty_and_says_why(draw, folders):
    without = {"places2/rn": "weights missing: rn.pth", "paris/spl": "weights missing: spl.pth"}
    axes = np.array(draw("fig3", SETTINGS.model_copy(update={"left_out": without}), **folders).axes).reshape(4, 4)
    empty = [[bool(axis.texts) and not axis.images for axis in row] for row in axes]
    assert empty == [[False] * 4, [True, True, False, True], [False, False, True, False], [False] * 4]
    assert axes[1, 0].texts[0].get_text() == axes[2, 2].texts[0].get_text() == "weights missing"


def test_figure_3_needs_no_column_of_detections(draw, folders):
    section = SECTION.model_copy(update={"fig3": SECTION.fig3.model_copy(update={"detections": None})})
    figure = draw("fig3", SETTINGS.model_copy(update={"detection": None, "figures": section}), **folders)
    assert len(panes(figure)) == 4 * 3
    assert not any(axis.patches for axis in figure.axes)
    assert not figure.legends
    assert "Detections" not in [text.get_text() for text in figure.texts]


@pytest.mark.parametrize("name", ["fig1", "fig3"])
def test_a_method_that_the_paper_does_not_have_comes_last_and_chooses_no_image(draw, figures, folders, name):
    weights = dict.fromkeys(DATASETS, ReleasedWeights(source="released", path="best.ckpt"))
    lama = LaMaRecipe(recipe="lama", model=LaMaModel(blocks=9), weights=weights)
    section = getattr(SECTION, name).model_copy(update={"methods": ("rn", "ec", "spl")})
    own = SETTINGS.model_copy(update={"figures": SECTION.model_copy(update={name: section})})
    _, caption, _ = drawn = FIGURES_BY_NAME[name](
        own.model_copy(update={"methods": own.methods | {"ec": lama}}), **folders
    )
    drawn.figure.draw_without_rendering()
    width = 4 if name == "fig3" else 1  # panes between two methods
    shown, before = panes(drawn.figure), panes(figures[name])
    at = 3 * width
    apart = shown[at : at + width]
    assert len(apart) == width
    for pane, other in zip(shown[:at] + shown[at + width :], before, strict=True):
        np.testing.assert_array_equal(pane, other)
    assert "RN, SPL, EdgeConnect (EdgeConnect: reference (not in the paper))" in caption
    assert "under SPL" in caption


def test_figure_5_shows_edges_and_priors_of_the_chosen_images(figures, evidence):
    paris, shown = evidence("paris"), panes(figures["fig5"])
    images = choose_images(paris.table("spl"), SETTINGS, 2)
    for image, row in zip(images, (shown[:6], shown[6:]), strict=True):
        np.testing.assert_array_equal(row[0], paris.masked(image))
        np.testing.assert_array_equal(row[2], paris.filled(image, "ec"))
        np.testing.assert_array_equal(row[4], paris.filled(image, "spl"))
        np.testing.assert_array_equal(row[5], paris.truth(image))


def test_only_images_whose_prior_is_kept_are_shown(draw, tmp_path):
    dataset = Dataset(tmp_path, "paris", ("rn", "ec", "spl"), 6, 32, 1)
    dataset.write()
    dataset.names, dataset.truths = dataset.names[:3], dataset.truths[:3]
    dataset.write_priors()
    folders = {"results": tmp_path / "results", "data": tmp_path / "data"}

    def settings(images):
        figure = Figure5(dataset="paris", prior="spl", edges="ec", images=images)
        return SETTINGS.model_copy(
            update={"figures": SECTION.model_copy(update={"min_hole_ratio": 0.0, "fig5": figure})}
        )

    shown = panes(draw("fig5", settings(3), **folders))
    assert {shown[i].tobytes() for i in (5, 11, 17)} == {truth.tobytes() for truth in dataset.truths}
    with pytest.raises(DataError, match="only 3 can be taken"):
        draw("fig5", settings(4), **folders)


def test_edges_are_black_outside_and_blue_inside_the_hole():
    edges = np.array([[255, 255], [0, 0]], np.uint8)
    drawing = draw_edges(edges, np.array([[True, False], [True, False]]))
    np.testing.assert_array_equal(drawing[0, 0], np.round(255 * np.array(to_rgb(PREDICTED))))
    assert drawing[0, 1].max() < 64
    assert (drawing[1] == 255).all()


def test_examples_show_the_first_run_of_every_method(folders, tmp_path):
    settings = table_settings(["paris"], ["rn", "spl"], kind=FigureSettings, figures=SECTION)
    sections = {name: getattr(settings, name) for name in Design.model_fields}
    pairs = folders["data"] / "pairs/paris.csv"
    pairs.parent.mkdir(exist_ok=True)
    read_table(folders["results"] / "eval/paris/spl/seed1/per_image.csv").to_csv(pairs, index=False)
    examples = ExampleSettings(**sections, dataset="paris", figures=SECTION)
    draw_examples(examples, **folders, out=tmp_path / "examples.png")
    with Image.open(tmp_path / "examples.png") as image:
        assert image.width == 4 * 1.2 * 300
        assert image.info["Description"].endswith("Shown: test/1.png, test/3.png, test/5.png.")
    limited_fill = shutil.copytree(folders["results"], tmp_path / "results") / "eval/paris/rn/seed1/per_image.csv"
    read_table(limited_fill).query("image != 'test/1.png'").to_csv(limited_fill, index=False)
    draw_examples(examples, results=tmp_path / "results", data=folders["data"], out=tmp_path / "common.png")
    with Image.open(tmp_path / "common.png") as image:
        assert image.info["Description"].endswith("Shown: test/0.png, test/3.png, test/5.png.")
    with pytest.raises(DataError, match="seed2"):
        draw_examples(examples.model_copy(update={"seeds": (2,)}), **folders, out=tmp_path / "other.png")


def test_a_figure_that_the_experiment_has_not_is_refused(folders, tmp_path):
    with pytest.raises(ParamsError, match="has no fig4, or its section is null; it has fig1, fig3, fig5"):
        draw_figure(SETTINGS.model_copy(update={"figure": "fig4"}), **folders, out=tmp_path / "fig4.pdf")
