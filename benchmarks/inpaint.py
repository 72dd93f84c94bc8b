"""What filling around a hole gains over filling the whole image, and which fill is the better one.

    python benchmarks/inpaint.py --results results --photographs FOLDER --facades FOLDER [--context 3] [--out FILE.csv]

Hole PSNR of holes of 5 %, a blob in a place that the seed draws: of 20 photographs at their own size and of 20 drawn
façades (the test images of `paris`) enlarged to 1024 pixels. Prints a row of Markdown for each fill: the mean by crops,
and mean paired differences with 95 % intervals (Student's t over images). Networks are those of the first seed in
`--results`. `--time` fills 24 megapixels with three holes, JPEG in and out, in a process of its own. `--figure` draws
the images of docs/inpaint.md from two that scikit-image has.
"""

import argparse
import csv
import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from scipy import stats
from skimage import data

from spl.evaluation.metrics import psnr_hole
from spl.filling.holes import crop_boxes
from spl.filling.inpainter import CONTEXT, load_inpainter

COUNT, SHARE, LARGE = 20, 0.05, 1024
CLASSICAL = ("telea", "navier_stokes", "patchmatch")


def blob(shape, rng):
    """Return a hole of 5 % of an image: three ellipses about one place, scaled to the share."""
    height, width = shape
    centre = rng.uniform(0.25, 0.75, 2) * (width, height)
    side = math.sqrt(SHARE * height * width)
    parts = [
        (centre + rng.uniform(-0.25, 0.25, 2) * side, rng.uniform(0.3, 0.6, 2), rng.uniform(0, 180)) for _ in range(3)
    ]
    low, high = 0.1, 4.0
    while high - low > 1e-3:
        scale, drawn = (low + high) / 2, np.zeros(shape, np.uint8)
        for place, axes, turn in parts:
            cv2.ellipse(drawn, tuple(map(int, place)), tuple((axes * side * scale).astype(int)), turn, 0, 360, 1, -1)
        low, high = (scale, high) if drawn.mean() < SHARE else (low, scale)
    return drawn > 0


def difference(values):
    """Print a mean and its 95 % interval."""
    mean, half = np.mean(values), stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return f"{mean:+.2f} ({mean - half:+.2f} to {mean + half:+.2f})"


def read_set(files, side=None):
    """Yield name, image and hole."""
    for number, file in enumerate(files):
        image = Image.open(file).convert("RGB")
        image = image.resize((side, side), Image.Resampling.BICUBIC) if side else image
        pixels = np.asarray(image)
        yield file.name, pixels, blob(pixels.shape[:2], np.random.default_rng([5, number]))


def compare(fills, sets, context, out):
    """Print a row for each fill; write one for each image."""
    titles = [f"{title}: {column}" for title in sets for column in ("dB", "minus Telea", "crop minus whole")]
    print(f"| fill | {' | '.join(titles)} |\n|---|{'--:|' * len(titles)}", flush=True)
    telea = {}
    for fill, source in fills.items():
        inpainter, cells = load_inpainter(source), []
        for title, (files, side) in sets.items():
            rows = []
            for name, image, hole in read_set(files, side):
                ways = ("crop",) if fill == "patchmatch" else ("crop", "whole")  # it would take minutes
                found = {way: inpainter.fill(image, hole, strategy=way, context=context).image for way in ways}
                assert all((filled[~hole] == image[~hole]).all() for filled in found.values())
                psnr = {way: psnr_hole(filled, image, hole) for way, filled in found.items()}
                equal = np.mean((found["crop"] == found["whole"])[hole]) if fill in CLASSICAL[:2] else ""
                rows.append({"fill": fill, "images": title, "image": name, **psnr, "equal": equal})
            out.writerows(rows)
            crop = np.array([row["crop"] for row in rows])
            telea.setdefault(title, crop)
            cells += [f"{crop.mean():.2f}", difference(crop - telea[title]) if fill != "telea" else "–"]
            if fill in CLASSICAL:
                cells.append("–" if fill == "patchmatch" else f"{np.mean([row['equal'] for row in rows]):.2%} equal")
            else:
                cells.append(difference(crop - [row["whole"] for row in rows]))
        print(f"| {fill} | {' | '.join(cells)} |", flush=True)


def measure_time(source):
    """Print seconds and memory of one call of the command; process start is timed by a tiny image."""
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        seconds = {}
        for name, (width, height) in {"start": (256, 256), "large": (6000, 4000)}.items():
            small = rng.integers(0, 256, (height // 8, width // 8, 3), np.uint8)
            image = Image.fromarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))
            mask = np.zeros((height, width), np.uint8)
            for x, y in ((0.2, 0.3), (0.5, 0.7), (0.8, 0.4)):
                cv2.circle(mask, (int(x * width), int(y * height)), width // 24, 255, -1)
            image.save(f"{folder}/{name}.jpg", quality=92)
            Image.fromarray(mask).save(f"{folder}/{name}_mask.png")
            holes = len(crop_boxes(mask > 0, least=64, context=2.0))
            what = ["--method", source] if source in CLASSICAL else ["--weights", source]
            command = [sys.executable, "-m", "spl", "inpaint", "--image", f"{folder}/{name}.jpg", "--mask",
                       f"{folder}/{name}_mask.png", "--out", f"{folder}/{name}_filled.jpg", *what]  # fmt: skip
            start = time.perf_counter()
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
            seconds[name] = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"{source}: 24 megapixels, {holes} crops: {seconds['large'] - seconds['start']:.2f} s beyond the "
          f"{seconds['start']:.2f} s of 256 x 256 pixels, at most {peak:.2f} GiB")  # fmt: skip


def draw_figure(network, out):
    """Draw a scratch and a hole in texture: what is missing, and four fills of each."""
    portrait, wall = data.astronaut()[:320, 60:380], np.repeat(data.brick()[:320, :320, None], 3, axis=2)
    scratch, spot = np.zeros((320, 320), np.uint8), np.zeros((320, 320), np.uint8)
    cv2.polylines(scratch, [np.array([[40, 300], [120, 180], [180, 150], [280, 20]])], False, 1, 3)
    cv2.ellipse(spot, (160, 150), (60, 45), 20, 0, 360, 1, -1)
    rows = []
    for image, hole in ((portrait, scratch > 0), (wall, spot > 0)):
        shown = [np.where(hole[..., None], (255, 255, 255), image)]
        for source in ("telea", "navier_stokes", "patchmatch", network):
            shown.append(load_inpainter(source).fill(image, hole).image)
            print(f"{source}: {psnr_hole(shown[-1], image, hole):.1f} dB", file=sys.stderr)
        rows.append(np.concatenate(shown, axis=1))
    Image.fromarray(np.concatenate(rows).astype(np.uint8)).reduce(2).save(out, quality=85)


def main():
    """Compare, or measure time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--photographs", type=Path)
    parser.add_argument("--facades", type=Path)
    parser.add_argument("--out", type=Path, default=Path("inpaint.csv"))
    parser.add_argument("--context", type=float, default=CONTEXT)
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    runs = sorted(path.parent for path in arguments.results.glob("weights/*/*/seed1/run.json"))
    network = str(arguments.results / "weights/places2/spl/seed1")
    if arguments.figure:
        draw_figure(network, arguments.figure)
        return
    if arguments.time:
        for source in ("telea", network):
            measure_time(source)
        return
    fills = {name: name for name in CLASSICAL} | {f"{run.parts[-3]}/{run.parts[-2]}": run for run in runs}
    sets = {}
    if arguments.photographs:
        sets["photographs"] = (sorted(arguments.photographs.iterdir())[:COUNT], None)
    if arguments.facades:
        sets["façades"] = (sorted(arguments.facades.iterdir())[:COUNT], LARGE)
    with arguments.out.open("w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, ["fill", "images", "image", "crop", "whole", "equal"])
        out.writeheader()
        compare(fills, sets, arguments.context, out)


if __name__ == "__main__":
    main()
