import pytest

from spl.figures.draw_figure import FIGURES
from tests.figures.fabricate import fabricate


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Results and data of two datasets with six test images."""
    root = tmp_path_factory.mktemp("experiment")
    return fabricate(root, datasets=("places2", "paris"), methods=("rn", "ec", "spl"))


@pytest.fixture(scope="session")
def draw():
    """A function that draws a figure as matplotlib has it, without saving it; folders may be left out."""

    def draw(name, settings, **folders):
        figure = FIGURES[name](settings, **{"results": None, "data": None} | folders).figure
        figure.draw_without_rendering()
        return figure

    return draw


@pytest.fixture(scope="session")
def check_texts():
    """A function that finds the letters of a figure large enough, on the page, and apart from each other."""

    def check(figure):
        texts = [text for text in figure.findobj(lambda artist: hasattr(artist, "get_fontsize")) if text.get_text()]
        assert min(text.get_fontsize() for text in texts) >= 6
        extents = [text.get_window_extent() for text in texts]
        for i, extent in enumerate(extents):
            assert figure.bbox.padded(0.5).contains(*extent.min), texts[i]
            assert figure.bbox.padded(0.5).contains(*extent.max), texts[i]
            assert not any(extent.overlaps(other) for other in extents[i + 1 :]), texts[i]

    return check
