"""The report in a real browser: it opens offline, shows its figures, and is not wider than a laptop's window."""

import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from tests.report.fabricate import COLOUR

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)

pytestmark = pytest.mark.skipif(BROWSER is None, reason=f"no browser: none of {', '.join(BROWSERS)} is installed")

WIDTH, HEIGHT = 1280, 6000

MEASURE = """<script>addEventListener("load", () => {
  const root = document.documentElement;
  const broken = [...document.images].filter(image => !image.naturalWidth).length;
  document.title = `${root.scrollWidth} ${root.clientWidth} ${document.images.length} ${broken}`;
});</script>"""


def browse(profile, page, *options, width=WIDTH):
    """Open a page without a window and without a network, and return what the browser prints."""
    command = [
        BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
        "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}", f"--window-size={width},{HEIGHT}",
        "--virtual-time-budget=5000", *options, page.as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=180).stdout


@pytest.fixture(scope="module")
def pixels(fabricated, tmp_path_factory):
    """The first lines of the page, (H, W, 3)."""
    folder = tmp_path_factory.mktemp("browser")
    browse(folder / "profile", fabricated / "report.html", f"--screenshot={folder / 'page.png'}")
    return np.asarray(Image.open(folder / "page.png").convert("RGB"))


def test_the_page_fills_the_screen(pixels):
    assert pixels.shape == (HEIGHT, WIDTH, 3)
    dark = (pixels < 100).all(axis=2)
    stretches = dark.reshape(8, HEIGHT // 8, WIDTH)
    assert (pixels[:4, :4] == 255).all()  # white paper
    assert all(stretch.mean() > 0.001 for stretch in stretches[:4])  # with words all the way down to the figures


def test_figures_are_drawn(pixels):
    found = (pixels == COLOUR).all(axis=2)
    assert found.sum() > 100_000
    assert found.sum(axis=1).max() > 900  # across the page


def test_verdicts_are_coloured(pixels):
    for colour in ((0xDF, 0xF0, 0xE3), (0xEC, 0xEC, 0xEC)):  # supported, undecided
        assert (pixels == colour).all(axis=2).sum() > 1000


@pytest.mark.parametrize("width", [1280, 800])
def test_nothing_is_cut_off_and_every_image_loads(fabricated, tmp_path, width):
    page = tmp_path / "measured.html"
    page.write_text((fabricated / "report.html").read_text().replace("</body>", f"{MEASURE}</body>"))
    title = re.search("<title>(.*?)</title>", browse(tmp_path / "profile", page, "--dump-dom", width=width))[1]
    content, window, images, broken = map(int, title.split())
    assert content <= window <= width
    assert (images, broken) == (9, 0)
