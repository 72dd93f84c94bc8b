"""The page in a real browser: what a person does with mouse, keyboard or finger is what comes out of the download."""

import re
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def address(browser, start_server):
    return start_server("--max-megapixels", 1)[1]


@pytest.fixture
def visit(browser, address):
    """A function that opens the page in a window of its own; a request to elsewhere or an error fails the test."""
    contexts, wrong = [], []

    def allow(route):
        ours = route.request.url.startswith((f"{address}/", f"blob:{address}/", "data:"))
        wrong.extend([] if ours else [route.request.url])
        route.continue_() if ours else route.abort()

    def open_page(**options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}} | options)
        contexts.append(context)
        context.route("**/*", allow)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("request", lambda request: wrong.append(request.url) if address not in request.url else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if "policy" in message.text.lower() else None)
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [what for what in wrong if not what.startswith("data:")] == []


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(7).integers(0, 256, (120, 160, 3), np.uint8)


def sent(values, name="wall.png"):
    buffer = BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    return {"name": name, "mimeType": "image/png", "buffer": buffer.getvalue()}


def upload(page, values):
    page.get_by_label("Open an image").set_input_files(sent(values))
    said(page, "Paint over what should go, then press Fill.")


def said(page, text):
    page.get_by_role("status").filter(has_text=text).wait_for()


def fill(page):
    page.get_by_role("button", name="Fill", exact=True).click()
    said(page, "Filled in")


def downloaded(page):
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "wall-filled.png"
    return np.asarray(Image.open(download.value.path()))


def place(page, values, x, y):
    """Where a pixel of the image is in the window."""
    box = page.get_by_label("Paint the hole").bounding_box()
    return box["x"] + x / values.shape[1] * box["width"], box["y"] + y / values.shape[0] * box["height"]


def stroke(page, values, start, end):
    page.mouse.move(*place(page, values, *start))
    page.mouse.down()
    page.mouse.move(*place(page, values, *end), steps=8)
    page.mouse.up()


def distance(values, start, end):
    """How far each pixel's middle is from a line."""
    rows, columns = np.mgrid[: values.shape[0], : values.shape[1]] + 0.5
    (x0, y0), (x1, y1) = start, end
    along = np.clip(((columns - x0) * (x1 - x0) + (rows - y0) * (y1 - y0)) / ((x1 - x0) ** 2 + (y1 - y0) ** 2), 0, 1)
    return np.hypot(columns - x0 - along * (x1 - x0), rows - y0 - along * (y1 - y0))


def test_a_painted_stroke_is_filled_and_all_other_bytes_stay(visit, image):
    page = visit()
    upload(page, image)
    page.get_by_label("Brush size").fill("20")
    stroke(page, image, (40, 30), (100, 80))
    fill(page)
    result, far = downloaded(page), distance(image, (40, 30), (100, 80))
    assert np.array_equal(result[far > 11], image[far > 11])
    assert (result[far < 9] != image[far < 9]).any(axis=1).all()
