"""The report in a real browser: it opens offline, shows its figures, and fits a laptop's window and a narrow one."""

import re
import shutil
import subprocess

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)

pytestmark = pytest.mark.skipif(BROWSER is None, reason=f"no browser: none of {', '.join(BROWSERS)} is installed")

MEASURE = """<script>addEventListener("load", () => {
  const root = document.documentElement;
  const broken = [...document.images].filter(image => !image.naturalWidth).length;
  const cut = [...document.querySelectorAll(".scroll")].filter(box => box.scrollWidth > box.clientWidth).length;
  const top = Math.ceil(document.querySelector("header").getBoundingClientRect().bottom);
  document.title = `${root.scrollWidth} ${root.clientWidth} ${document.images.length} ${broken} ${cut} ${top}`;
});</script>"""


@pytest.mark.parametrize("width", [1280, 500])
def test_nothing_is_cut_off_and_every_image_loads_offline(fabricated, tmp_path, width):
    page = tmp_path / "measured.html"
    page.write_text((fabricated / "report.html").read_text().replace("</body>", f"{MEASURE}</body>"))
    command = [
        BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
        "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={tmp_path}/profile", f"--window-size={width},6000",
        "--virtual-time-budget=5000", "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=180).stdout
    content, window, images, broken, cut, top = map(int, re.search("<title>(.*?)</title>", shown)[1].split())
    assert content <= window <= width
    assert (images, broken) == (10, 0)
    if width == 1280:  # no table scrolls, and question and answers are on a screen of 800 lines
        assert cut == 0
        assert top <= 800
