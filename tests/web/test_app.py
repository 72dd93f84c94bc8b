"""What the page's server answers: to its own page, to others, to right and wrong files, to several at once."""

import gc
import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms
from starlette.testclient import TestClient

from spl.common.errors import DataError
from spl.filling.inpainter import Inpainter
from spl.web import sessions as sessions_module
from spl.web.app import Limits, build_app
from spl.web.fills import KEPT_IN_MEMORY, list_choices, load_fill
from spl.web.sessions import MOST_SESSIONS, Sessions
from tests.conftest import REPOSITORY

PAGE = REPOSITORY / "spl/web/page"


@pytest.fixture
def sessions():
    kept = Sessions()
    yield kept
    kept.close_all()


@pytest.fixture
def client(sessions, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where no runs are
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # nor released networks
    app = build_app(list_choices(), sessions, Limits(max_bytes=200_000, max_pixels=40_000))
    with TestClient(app, base_url="http://localhost:7860") as client:
        yield client


@pytest.fixture
def held(monkeypatch):
    """A fill that waits until it is let go: every fill of the page is this one."""
    held = threading.Event()

    def fill(image, mask):
        assert held.wait(30)
        return np.zeros_like(image)

    monkeypatch.setattr(sessions_module, "load_fill", lambda source: Inpainter(fill))
    yield held
    held.set()


def encode(values, kind="PNG", **options):
    buffer = BytesIO()
    Image.fromarray(values).save(buffer, kind, **options)
    return buffer.getvalue()


def noise(*shape, seed=1):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def hole_of(height, width):
    hole = np.zeros((height, width), bool)
    hole[10:20, 12:30] = True
    return hole


def opened(client, content, name="wall.png"):
    answer = client.post("/images", params={"name": name}, content=content)
    assert answer.status_code == 201, answer.text
    return answer.json()


def filled(client, key, hole, **query):
    """The last line that is told of a fill."""
    answer = client.post(f"/images/{key}/fill", params={"fill": "telea", **query}, content=encode(hole))
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()][-1]


def until_busy(sessions, key):
    """Wait until an image is being filled."""
    end = time.monotonic() + 30
    while not sessions.find(key).busy:
        assert time.monotonic() < end
        time.sleep(0.01)


def folders(sessions):
    return len(list(sessions.root.iterdir()))


# --- To whom it answers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/page.css", "/page.js", "/fills", "/nowhere"])
def test_every_answer_lets_a_browser_load_only_from_here_and_keep_nothing(client, path):
    headers = client.get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'self'; img-src 'self' blob: data:;")
    assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")


def test_the_page_names_no_other_place_and_has_no_inline_script_or_style():
    texts = {path.name: path.read_text() for path in PAGE.iterdir()}
    assert set(texts) == {"index.html", "page.css", "page.js"}
    for text in texts.values():
        assert set(re.findall(r"\w+://[^'\"\s]*", text)) <= {"http://www.w3.org/2000/svg"}
    assert re.findall(r"<script[^>]*>", texts["index.html"]) == ['<script type="module" src="page.js">']
    assert not re.search(r"<style|\sstyle=|\son\w+=", texts["index.html"])


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:9000", "[::1]:7860"])
def test_it_answers_under_the_names_of_this_machine_and_any_port(client, host):
    assert client.get("/", headers={"host": host}).status_code == 200
    headers = {"host": host, "origin": f"http://{host}"}
    assert client.post("/images", content=encode(noise(40, 50, 3)), headers=headers).status_code == 201


@pytest.mark.parametrize("host", ["evil.example:7860", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1"])
def test_another_name_for_this_machine_is_refused(client, host):
    for answer in (client.get("/", headers={"host": host}), client.post("/example", headers={"host": host})):
        assert (answer.status_code, answer.json()) == (403, {"error": "This server answers to its own page only."})


@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:8000", "null", "https://localhost:7860"])
def test_the_page_of_another_site_cannot_post(client, sessions, origin):
    answer = client.post("/images", content=encode(noise(40, 50, 3)), headers={"origin": origin})
    assert answer.status_code == 403
    assert folders(sessions) == 0


# --- Images and masks -------------------------------------------------------------------------------------------------


def test_what_is_shown_is_upright_has_8_bits_and_keeps_transparency(client):
    values = noise(40, 60, 4)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    session = opened(client, encode(values, exif=exif))
    assert (session["name"], session["size"]) == ("wall.png", [40, 60])
    answer = client.get(f"/images/{session['key']}/0")
    shown = Image.open(BytesIO(answer.content))
    assert (answer.headers["content-type"], shown.format, shown.getexif()) == ("image/png", "PNG", {})
    assert np.array_equal(np.asarray(shown), np.rot90(values, -1))


def test_a_large_image_is_shown_small_and_with_its_colour_profile(client, monkeypatch):
    monkeypatch.setattr(sessions_module, "PREVIEW_SIDE", 50)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    session = opened(client, encode(noise(100, 200, 3), icc_profile=profile))
    shown = Image.open(BytesIO(client.get(f"/images/{session['key']}/0").content))
    assert (shown.size, shown.info["icc_profile"]) == ((50, 25), profile)


@pytest.mark.parametrize("channels", [3, 4])
def test_outside_the_hole_16_bits_stay_as_they_are_through_two_fills(client, channels):
    values = np.random.default_rng(3).integers(0, 65536, (40, 50, channels), np.uint16)
    first, second = hole_of(40, 50), np.flipud(hole_of(40, 50))
    key = opened(client, cv2.imencode(".png", values)[1].tobytes())["key"]
    assert filled(client, key, first) == {"step": 1, "notes": []}
    assert filled(client, key, second, step=1)["step"] == 2
    answer = client.get(f"/images/{key}/2/file")
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''wall-filled.png"
    result = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(result[~(first | second)], values[~(first | second)])
    assert (result[first | second] != values[first | second]).any(axis=1).mean() > 0.9


def test_an_earlier_result_can_be_filled_again(client):
    values = noise(40, 50, 3)
    key = opened(client, encode(values))["key"]
    filled(client, key, hole_of(40, 50))
    other = np.flipud(hole_of(40, 50))
    assert filled(client, key, other, step=0)["step"] == 2
    result = np.asarray(Image.open(BytesIO(client.get(f"/images/{key}/2/file").content)))
    assert np.array_equal(result[~other], values[~other])


def test_a_grown_hole_changes_its_rim_and_nothing_else(client):
    values, hole = noise(60, 60, 3), hole_of(60, 60)
    key = opened(client, encode(values))["key"]
    filled(client, key, hole, grow=4)
    result = np.asarray(Image.open(BytesIO(client.get(f"/images/{key}/1/file").content)))
    rim = cv2.dilate(hole.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))) > 0
    assert (result[rim & ~hole] != values[rim & ~hole]).any()
    far = cv2.dilate(hole.astype(np.uint8), np.ones((11, 11))) == 0
    assert np.array_equal(result[far], values[far])


def test_what_a_file_could_not_keep_is_told_in_sentences(client):
    buffer = BytesIO()
    Image.fromarray(noise(40, 50, 3)).convert("CMYK").save(buffer, "JPEG")
    key = opened(client, buffer.getvalue(), "print.jpg")["key"]
    assert filled(client, key, hole_of(40, 50))["notes"] == ["CMYK became RGB."]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", r"wall\.png is empty \(0 bytes\)\. Replace or remove it\."),
        (b"<html>not found", r"wall\.png is a web page instead of the file; .*"),
        (encode(noise(40, 50, 3))[:2000], r"wall\.png ends early, .*|wall\.png is damaged.*"),
        (encode(noise(8, 50, 3)), r"wall\.png has 50 x 8 pixels; expected at least 16 .*"),
        (encode(np.zeros((201, 200), np.uint8)), r"wall\.png has 200 x 201 = 40,200 pixels, 40,000 are allowed.*"),
    ],
    ids=["empty", "page", "cut", "tiny", "many pixels"],
)
def test_a_wrong_image_is_one_sentence_without_a_folder_and_leaves_nothing(client, sessions, content, told):
    answer = client.post("/images", params={"name": "/secret/../wall.png"}, content=content)
    assert answer.status_code == 422
    assert re.fullmatch(told, answer.json()["error"])
    assert str(sessions.root) not in answer.text
    assert folders(sessions) == 0


def test_a_file_that_is_too_large_is_refused_and_leaves_nothing(client, sessions):
    key = opened(client, encode(noise(40, 50, 3)))["key"]
    for path in ("/images", f"/images/{key}/mask", f"/images/{key}/fill?fill=telea"):
        answer = client.post(path, content=bytes(200_001))
        assert (answer.status_code, answer.json()["error"]) == (413, "The file is too large: at most 0.2 MB are taken.")
    assert folders(sessions) == 1
    assert filled(client, key, hole_of(40, 50))["step"] == 1


def test_a_mask_comes_back_at_the_image_s_size_as_the_page_paints_it(client):
    key, hole = opened(client, encode(noise(80, 100, 3)))["key"], hole_of(40, 50)
    answer = client.post(f"/images/{key}/mask", params={"name": "m.png"}, content=encode(hole))
    white = np.asarray(Image.open(BytesIO(answer.content)))
    assert white.shape == (80, 100, 2)
    assert (white[..., 0] == 255).all()
    assert np.array_equal(white[..., 1] == 255, hole.repeat(2, axis=0).repeat(2, axis=1))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (encode(noise(40, 50, 3)), r"m\.png is no mask \(coloured\).*"),
        (encode(hole_of(40, 60)), r"m\.png is 60 x 40 pixels, wall\.png is 50 x 40.*"),
        (b"", r"m\.png is empty.*"),
    ],
    ids=["coloured", "of another shape", "empty"],
)
def test_a_wrong_mask_is_one_sentence(client, sessions, content, told):
    key = opened(client, encode(noise(40, 50, 3)))["key"]
    answer = client.post(f"/images/{key}/mask", params={"name": "m.png"}, content=content)
    assert answer.status_code == 422
    assert re.fullmatch(told, answer.json()["error"])
    assert str(sessions.root) not in answer.text


def test_a_hole_that_cannot_be_filled_is_told_once_and_the_next_one_is_filled(client, caplog):
    key = opened(client, encode(noise(40, 50, 3)))["key"]
    told = filled(client, key, np.ones((40, 50), bool))["error"]
    assert re.match(r"The mask: 100\.0% of the pixels are a hole .*; expected more than none and at most 60 %\.$", told)
    assert filled(client, key, hole_of(40, 50))["step"] == 1
    gc.collect()  # when asyncio would log an error that nobody has looked at
    assert not caplog.records


# --- Fills ------------------------------------------------------------------------------------------------------------


def test_a_network_is_offered_only_where_it_is_and_is_never_downloaded(client, tmp_path):
    told = client.get("/fills").json()["fills"]
    assert [name for name, fill in told.items() if not fill["missing"]][:3] == ["telea", "navier_stokes", "biharmonic"]
    assert told["big-lama"]["missing"] == "spl inpaint --model big-lama --fetch, once, with any image"
    key = opened(client, encode(noise(40, 50, 3)))["key"]
    for name in ("big-lama", "nowhere", "/etc/passwd", ""):
        answer = client.post(f"/images/{key}/fill", params={"fill": name}, content=encode(hole_of(40, 50)))
        assert (answer.status_code, answer.json()["error"]) == (422, "This fill is not there.")
    (tmp_path / "spl/migan").mkdir(parents=True)
    (tmp_path / "spl/migan/migan_512_places2.pt").touch()
    assert not list_choices()["migan"].missing


def test_finished_runs_and_what_is_named_are_offered(client, tmp_path):
    for run in ("paris/spl/seed1", "places2/rn/seed2"):
        (tmp_path / "results/weights" / run).mkdir(parents=True)
        (tmp_path / "results/weights" / run / "weights.safetensors").touch()
    (tmp_path / "model.onnx").touch()
    choices = list_choices(["model.onnx", "miniature:paris/rn"])
    assert choices["results/weights/paris/spl/seed1"].title == "SPL, paris, seed1"
    assert {"model.onnx", "miniature:paris/rn", "results/weights/places2/rn/seed2"} <= set(choices)
    with pytest.raises(DataError, match=r"--weights nowhere: expected the folder of a finished run"):
        list_choices(["nowhere"])


def test_what_was_loaded_is_kept_but_for_the_oldest():
    names = ["telea", "navier_stokes", "biharmonic"]
    assert len(names) > KEPT_IN_MEMORY
    first = load_fill(names[0])
    assert load_fill(names[0]) is first
    for name in names[1:]:
        load_fill(name)
    assert load_fill(names[0]) is not first


def test_an_image_is_filled_once_at_a_time_and_a_long_fill_blocks_nobody_else(client, sessions, held):
    keys = [opened(client, encode(noise(40, 50, 3)))["key"] for _ in range(2)]
    with ThreadPoolExecutor() as threads:
        running = [threads.submit(filled, client, key, hole_of(40, 50)) for key in keys]
        until_busy(sessions, keys[0])
        until_busy(sessions, keys[1])
        answer = client.post(f"/images/{keys[0]}/fill", params={"fill": "telea"}, content=encode(hole_of(40, 50)))
        assert (answer.status_code, answer.json()["error"]) == (409, "This image is being filled already.")
        assert client.get(f"/images/{keys[0]}/0").status_code == 200
        assert opened(client, encode(noise(40, 50, 3)))["key"]
        held.set()
        assert [job.result()["step"] for job in running] == [1, 1]


def test_who_has_to_wait_is_told_how_many_are_before(client, sessions, held):
    keys = [opened(client, encode(noise(40, 50, 3)))["key"] for _ in range(4)]

    def follow(key):
        content = encode(hole_of(40, 50))
        with client.stream("POST", f"/images/{key}/fill", params={"fill": "telea"}, content=content) as answer:
            return [json.loads(line) for line in answer.iter_lines()]

    with ThreadPoolExecutor() as threads:
        jobs = []
        for key in keys:
            jobs.append(threads.submit(follow, key))
            until_busy(sessions, key)
            time.sleep(0.1)
        threading.Timer(1.2, held.set).start()
        told = [job.result() for job in jobs]
    assert [lines[0] for lines in told] == [{"ahead": 0}, {"ahead": 0}, {"ahead": 2}, {"ahead": 3}]
    assert all(lines[-1] == {"step": 1, "notes": []} for lines in told)


# --- Sessions ---------------------------------------------------------------------------------------------------------


def test_two_images_do_not_mix_and_a_name_cannot_be_guessed(client):
    images = [noise(40, 50, 3, seed=seed) for seed in (1, 2)]
    keys = [opened(client, encode(image))["key"] for image in images]
    assert all(len(key) >= 32 for key in keys)
    for key in keys:
        filled(client, key, hole_of(40, 50))
    for key, image in zip(keys, images, strict=True):
        result = np.asarray(Image.open(BytesIO(client.get(f"/images/{key}/1/file").content)))
        assert np.array_equal(result[~hole_of(40, 50)], image[~hole_of(40, 50)])
    answer = client.get(f"/images/{keys[0][:-1]}/0")
    assert (answer.status_code, answer.json()["error"][:31]) == (404, "This image is no longer here: i")


def test_a_closed_image_is_gone_at_once(client, sessions):
    key = opened(client, encode(noise(40, 50, 3)))["key"]
    assert folders(sessions) == 1
    assert client.post(f"/images/{key}/close").status_code == 204
    assert folders(sessions) == 0
    assert client.get(f"/images/{key}/0").status_code == 404


def test_an_image_that_is_closed_during_its_fill_is_gone_after_it(client, sessions, held):
    key = opened(client, encode(noise(40, 50, 3)))["key"]
    with ThreadPoolExecutor() as threads:
        job = threads.submit(filled, client, key, hole_of(40, 50))
        until_busy(sessions, key)
        client.post(f"/images/{key}/close")
        held.set()
        job.result()
    assert folders(sessions) == 0


def test_a_fault_of_ours_is_told_on_the_page_and_in_full_on_the_terminal(client, monkeypatch, capfd):
    def fail(image, mask):
        raise RuntimeError("a bug")

    monkeypatch.setattr(sessions_module, "load_fill", lambda source: Inpainter(fail))
    key = opened(client, encode(noise(40, 50, 3)))["key"]
    assert filled(client, key, hole_of(40, 50)) == {"error": "a bug."}
    told = capfd.readouterr().err
    assert "Traceback" in told
    assert "in fail" in told


def test_idle_images_are_forgotten_and_so_is_the_oldest_of_too_many(client, monkeypatch):
    now = 0.0
    monkeypatch.setattr(sessions_module.time, "monotonic", lambda: now)
    kept = Sessions(idle_seconds=10)
    try:
        keys = []
        for now in range(5):
            with kept.new("a.png") as (key, session):
                session.used = now
            keys.append(key)
        now = 8
        assert kept.find(keys[0])
        now = 12
        kept.forget_idle()
        assert [bool(kept.find(key)) for key in keys] == [True, False, True, True, True]
        for _ in range(MOST_SESSIONS):
            with kept.new("b.png"):
                pass
        assert folders(kept) == MOST_SESSIONS
    finally:
        kept.close_all()


def test_the_last_results_are_kept_and_the_image_always(client, sessions, monkeypatch):
    monkeypatch.setattr(sessions_module, "KEPT_RESULTS", 2)
    key = opened(client, encode(noise(40, 50, 3)))["key"]
    for step in range(4):
        filled(client, key, hole_of(40, 50), step=step)
    assert [client.get(f"/images/{key}/{step}/file").status_code for step in range(6)] == [200, 404, 404, 200, 200, 404]
    answer = client.post(f"/images/{key}/fill", params={"fill": "telea", "step": 1}, content=encode(hole_of(40, 50)))
    assert (answer.status_code, answer.json()["error"][:31]) == (404, "This result is no longer kept. ")
