"""A trial of `spl web`: people at once in real browsers; and the images of docs/web.md.

    python benchmarks/web.py [--fills 20] [--method telea]
    python benchmarks/web.py --screenshots docs

Two people fill an image of their own 20 times each, each time on the result before, while a third sends files that are
refused. Every result has to be its owner's: outside what was painted since the beginning it is the image that was sent.
Prints the memory of the server after the first fill, the largest and the last, which may be 10 % above the first, and
what is left of its temporary files when it has ended. Linux, with Chromium.
"""

import argparse
import atexit
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from playwright.sync_api import sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTH, HEIGHT, BRUSH = 1200, 900, 40
REFUSED = {
    "a text": ("notes.txt", b"no image", "is text instead of an image"),
    "cut off": ("cut.png", b"\x89PNG\r\n\x1a\n" + bytes(100), "is damaged"),
    "too many pixels": ("large.png", 0, "pixels, 2,000,000 are allowed"),
    "too many bytes": ("heavy.png", bytes(6_000_000), "is too large: at most 5 MB"),
}


def start(folder, *options):
    """Start the server with its temporary files in a folder; return the process and its address."""
    command = ["env", f"TMPDIR={folder}", sys.executable, "-m", "spl", "web", "--port", "0", *options]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    atexit.register(server.terminate)  # if a trial breaks off
    return server, re.search(r"http://\S+", server.stdout.readline())[0]


def end(server, folder):
    """End the server by Ctrl-C; return its exit status and the files that it has left."""
    server.send_signal(signal.SIGINT)
    return server.wait(timeout=60), [path for path in Path(folder).glob("spl-web-*")]


def memory(server):
    """Return the resident memory of a process in MB."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{server.pid}/status").read_text("utf-8"))[1]) / 1024


def encode(image):
    """Return an image as PNG."""
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


class Person:
    """Somebody with a browser and an image of their own."""

    def __init__(self, browser, address, seed):
        self.random = np.random.default_rng(seed)
        small = Image.fromarray(self.random.integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), np.uint8))
        self.image = np.asarray(small.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
        self.painted = np.zeros((HEIGHT, WIDTH), bool)
        self.page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
        self.page.set_default_timeout(300_000)
        self.page.goto(address)
        self.send("own.png", encode(Image.fromarray(self.image)), "Paint over what should go")
        self.page.get_by_label("Brush size").fill(str(BRUSH))

    def send(self, name, content, told):
        """Open a file and wait for what is said then."""
        file = {"name": name, "mimeType": "image/png", "buffer": content}
        self.page.get_by_label("Open an image").set_input_files(file)
        self.page.get_by_role("status").filter(has_text=told).wait_for()

    def begin(self, method):
        """Paint a stroke somewhere and press Fill."""
        ends = self.random.uniform(0.1, 0.9, (2, 2)) * (WIDTH, HEIGHT)
        box = self.page.get_by_label("Paint the hole").bounding_box()
        for (x, y), move in zip(ends, (self.page.mouse.down, self.page.mouse.up), strict=True):
            self.page.mouse.move(box["x"] + x / WIDTH * box["width"], box["y"] + y / HEIGHT * box["height"])
            move()
        drawn = Image.fromarray(self.painted)
        draw = ImageDraw.Draw(drawn)
        draw.line([tuple(end) for end in ends], fill=1, width=BRUSH + 4)
        for x, y in ends:
            draw.circle((x, y), BRUSH / 2 + 2, fill=1)
        self.painted = np.array(drawn)
        self.page.get_by_label("Fill with").select_option(method)
        self.page.get_by_role("button", name="Fill", exact=True).click()

    def finish(self, number):
        """Wait for the result and download it; return whether it is this person's."""
        self.page.get_by_role("button", name=f"{number} ·").wait_for()
        self.page.get_by_role("status").filter(has_text="Filled in").wait_for()
        with self.page.expect_download() as download:
            self.page.get_by_role("link", name="Download").click()
        result = np.asarray(Image.open(download.value.path()))
        same = (result == self.image).all(axis=2)
        return bool(same[~self.painted].all() and not same[self.painted].all())


def trial(browser, fills, method):
    """Let three people work at once and print what was found; return whether all is as it should be."""
    REFUSED["too many pixels"] = ("large.png", encode(Image.new("L", (2000, 1001))), REFUSED["too many pixels"][2])
    with tempfile.TemporaryDirectory() as folder:
        server, address = start(folder, "--max-megabytes", "5", "--max-megapixels", "2")
        people, third = [Person(browser, address, seed) for seed in (1, 2)], Person(browser, address, 3)
        own, used, refused, begun = 0, [], 0, time.perf_counter()
        for number in range(1, fills + 1):
            for person in people:
                person.begin(method)
            third.send(*list(REFUSED.values())[number % len(REFUSED)])
            refused += 1
            own += sum(person.finish(number) for person in people)
            used.append(memory(server))
        seconds = time.perf_counter() - begun
        status, left = end(server, folder)
    growth = used[-1] / used[0] - 1
    print(f"| fills by {method}, {WIDTH} × {HEIGHT} pixels | {2 * fills} in {seconds:.0f} s |")
    print("|---|--:|")
    print(f"| results that are their owner's, bit for bit outside the strokes | {own} of {2 * fills} |")
    print(f"| files of the third person refused with the right sentence | {refused} of {fills} |")
    print(f"| memory of the server after the first two fills | {used[0]:.0f} MB |")
    print(f"| the largest, the last | {max(used):.0f}, {used[-1]:.0f} MB ({growth:+.1%}) |")
    print(f"| exit status after Ctrl-C, temporary files left | {status}, {len(left)} |")
    return own == 2 * fills and growth < 0.1 and (status, left) == (0, [])


def screenshots(browser, out):
    """Draw the images of the page: the hole, before and after, on a phone."""
    with tempfile.TemporaryDirectory() as folder:
        server, address = start(folder)
        phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
        for name, options in (("desktop", {"viewport": {"width": 1280, "height": 800}}), ("phone", phone)):
            page = browser.new_context(**options, device_scale_factor=1.25).new_page()
            page.goto(address)
            page.get_by_role("button", name="Take the example").click()
            page.get_by_role("status").filter(has_text="Paint over what should go").wait_for()
            page.get_by_label("Brush size").fill("56")
            page.get_by_label("Fill with").select_option("patchmatch")
            box = page.get_by_label("Paint the hole").bounding_box()
            corners = [(564, 335), (545, 380), (510, 490), (620, 495), (585, 390), (566, 340), (566, 490), (505, 540),
                       (640, 540)]  # fmt: skip
            points = [(box["x"] + x / 768 * box["width"], box["y"] + y / 768 * box["height"]) for x, y in corners]
            page.mouse.move(*points[0])
            page.mouse.down()
            for point in points[1:]:
                page.mouse.move(*point, steps=8)
            page.mouse.up()
            page.evaluate("scrollTo(0, 0)")
            page.screenshot(path=out / f"web_{name}.jpg", type="jpeg", quality=82)
            if name == "desktop":
                page.get_by_role("button", name="Fill", exact=True).click()
                page.get_by_role("status").filter(has_text="Filled in").wait_for()
                page.get_by_label("Before and after").fill("73")
                page.screenshot(path=out / "web_result.jpg", type="jpeg", quality=82)
        end(server, folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fills", type=int, default=20)
    parser.add_argument("--method", default="telea")
    parser.add_argument("--screenshots", type=Path)
    arguments = parser.parse_args()
    with sync_playwright() as playwright:
        path = next(filter(None, map(shutil.which, BROWSERS)))
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        if arguments.screenshots:
            screenshots(chromium, arguments.screenshots)
        else:
            sys.exit(not trial(chromium, arguments.fills, arguments.method))
