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


def test_with_the_keyboard_alone_from_upload_to_download(visit, image):
    page = visit()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "file"
    upload(page, image)  # whose window to choose a file is the browser's
    assert page.evaluate("document.activeElement.id") == "hole"
    for key in ("]", "]", "ArrowLeft", "ArrowLeft", "Space", "Shift+ArrowDown", "Shift+ArrowDown"):
        page.keyboard.press(key)
    size = int(page.get_by_label("Brush size").input_value())
    assert size == 15  # 10, 12, 15
    said(page, "Painted at 72, 60. The hole is 0.9 % of the image.")
    for _ in range(40):
        if page.evaluate("document.activeElement.id") == "fill":
            break
        page.keyboard.press("Tab")
        ring = "const s = getComputedStyle(document.activeElement); s.outlineStyle + s.boxShadow"
        assert page.evaluate(f"(() => {{ {ring.replace('s.outline', 'return s.outline')} }})()") != "nonenone"
    page.keyboard.press("Enter")
    said(page, "Filled in")
    page.get_by_role("link", name="Download").focus()
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    result, far = np.asarray(Image.open(download.value.path())), distance(image, (72, 60), (72, 68))
    assert np.array_equal(result[far > 9], image[far > 9])
    assert (result[far < 6] != image[far < 6]).any(axis=1).all()


def test_every_control_has_a_name(visit, image):
    page = visit()
    upload(page, image)
    stroke(page, image, (40, 30), (100, 80))
    fill(page)
    page.get_by_text("Keys", exact=True).click()
    controls = page.locator("button, input, select, canvas, a, summary, output, nav, form, section")
    snapshots = [control.aria_snapshot().splitlines()[0] for control in controls.all() if control.is_visible()]
    assert len(snapshots) > 20
    assert [text for text in snapshots if not re.match(r"- \w+ \".+\"|- \w+: \S", text)] == []
    for role, name in (
        ("application", "Paint the hole"), ("button", "Open an image"), ("radio", "Brush"), ("radio", "Eraser"),
        ("slider", "Brush size"), ("slider", "Before and after"), ("combobox", "Fill with"), ("button", "Open a mask"),
        ("spinbutton", "Grow the hole by"), ("button", "Undo"), ("button", "Redo"), ("button", "Clear"),
        ("button", "Invert"), ("button", "Fill"), ("link", "Download"), ("button", "Zoom in"), ("button", "Zoom out"),
        ("button", "Original"), ("button", "1 · Telea"), ("navigation", "Original and results"), ("form", "Tools"),
    ):  # fmt: skip
        assert page.get_by_role(role, name=name, exact=True).count() == 1, (role, name)


def test_undo_redo_erase_clear_and_invert(visit, image):
    page = visit()
    upload(page, image)
    share = page.locator("#share")
    button = lambda name: page.get_by_role("button", name=name, exact=True)  # noqa: E731
    stroke(page, image, (40, 30), (100, 30))
    first = share.text_content()
    stroke(page, image, (40, 90), (100, 90))
    both = share.text_content()
    assert first != both
    page.get_by_text("Eraser", exact=True).click()
    stroke(page, image, (30, 90), (110, 90))
    assert share.text_content() != both
    button("Undo").click()
    assert share.text_content() == both
    page.keyboard.press("Control+z")
    assert share.text_content() == first
    page.keyboard.press("Control+Shift+z")
    assert share.text_content() == both
    button("Clear").click()
    assert share.text_content() == "Nothing is painted yet."
    assert button("Fill").is_disabled()
    button("Invert").click()
    assert share.text_content() == "The hole is 100 % of the image."
    button("Fill").click()
    said(page, "The hole is 100 % of the image; at most 60 % can be filled.")


def test_a_mask_is_opened_and_a_result_is_filled_again_or_left(visit, image):
    page, hole = visit(viewport={"width": 400, "height": 800}), np.zeros(image.shape[:2], bool)
    upload(page, image)
    hole[50:70, 60:90] = True
    page.get_by_label("Open a mask").set_input_files(sent(hole, "m.png"))
    said(page, "The mask is a hole of 3.1 % of the image.")
    fill(page)
    first = downloaded(page)
    assert np.array_equal(first[~hole], image[~hole])
    stroke(page, image, (20, 20), (30, 20))
    page.get_by_label("Fill with").select_option(label="Navier–Stokes")
    page.get_by_role("button", name="Fill", exact=True).click()
    page.get_by_role("button", name="2 · Navier–Stokes").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == 400  # the results scroll in their row
    second, far = downloaded(page), distance(image, (20, 20), (30, 20))
    assert np.array_equal(second[far > 6], first[far > 6])
    page.get_by_role("button", name="1 · Telea").click()
    page.wait_for_function("document.querySelector('[aria-current] span').textContent == '1 · Telea'")
    assert np.array_equal(downloaded(page), first)
    page.get_by_role("button", name="Original").click()  # still has the hole that was painted on it
    page.get_by_text("The hole is 3.1 % of the image.", exact=True).wait_for()


def test_the_slider_shows_before_and_after(visit, image):
    page, hole = visit(), np.zeros(image.shape[:2], bool)
    hole[40:80, 40:80] = hole[40:80, 85:120] = True
    upload(page, np.where(hole, 250, 90).astype(np.uint8))
    page.get_by_label("Open a mask").set_input_files(sent(hole, "m.png"))
    fill(page)
    shown = {}
    for value in ("0", "51", "100"):
        page.get_by_label("Before and after").fill(value)
        shot = np.asarray(Image.open(BytesIO(page.screenshot())).convert("L"))
        points = [place(page, image, x, 60) for x in (60, 100)]
        shown[value] = [bool(shot[round(y), round(x)] > 170) for x, y in points]
    assert shown == {"0": [False, False], "51": [True, False], "100": [True, True]}


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ({"name": "notes.txt", "mimeType": "text/plain", "buffer": b"hello"}, "notes.txt is text instead of an image"),
        (sent(np.zeros((1001, 1000), np.uint8)), "wall.png has 1000 x 1001 = 1,001,000 pixels, 1,000,000 are allowed"),
    ],
    ids=["text", "large"],
)
def test_a_wrong_file_is_a_sentence_and_the_image_stays(visit, image, file, told):
    page = visit()
    upload(page, image)
    page.get_by_label("Open an image").set_input_files(file)
    said(page, told)
    assert page.get_by_text("wall.png, 160 × 120").is_visible()


def test_two_people_at_once_get_their_own(visit, image):
    images = [image, 255 - image]
    pages = [visit(), visit()]
    for page, own in zip(pages, images, strict=True):
        upload(page, own)
        stroke(page, own, (40, 30), (60, 30))
    for page in pages:
        page.get_by_role("button", name="Fill", exact=True).click()
    for page, own in zip(pages, images, strict=True):
        said(page, "Filled in")
        far = distance(own, (40, 30), (60, 30)) > 20
        assert np.array_equal(downloaded(page)[far], own[far])


def test_on_a_phone_a_finger_paints_and_nothing_is_cut_off(visit, image):
    page = visit(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    fits = "document.documentElement.scrollWidth <= innerWidth && innerWidth == 360"
    assert page.evaluate(fits)
    upload(page, image)
    page.touchscreen.tap(*place(page, image, 80, 60))
    assert page.locator("#share").text_content() != "Nothing is painted yet."
    fill(page)
    assert page.evaluate(fits)
    result, far = downloaded(page), distance(image, (80, 60), (80.01, 60))
    assert np.array_equal(result[far > 8], image[far > 8])
    assert (result[far < 3] != image[far < 3]).any()
    heights = "[...document.querySelectorAll('button, .button, select')].map(e => e.offsetHeight).filter(h => h)"
    assert min(page.evaluate(heights)) >= 40


def test_the_example_is_drawn_and_zoom_keeps_the_place(visit):
    page = visit()
    page.get_by_role("button", name="Take the example").click()
    said(page, "Paint over what should go, then press Fill.")
    assert page.get_by_text("example.png, 768 × 768").is_visible()
    before = page.get_by_label("Paint the hole").bounding_box()["width"]
    page.get_by_role("button", name="Zoom in").click()
    assert page.get_by_label("Paint the hole").bounding_box()["width"] == pytest.approx(1.5 * before, abs=2)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_label("Paint the hole").focus()
    page.keyboard.press("0")
    assert page.get_by_label("Paint the hole").bounding_box()["width"] == pytest.approx(before, abs=2)
