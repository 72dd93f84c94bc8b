"""Speed of preparing raw data, beside the least that any program would have to do on the same cores.

python benchmarks/data.py [--workers 2] [--images 40000] [--masks 12000] [--huge]

Both times include the start of their processes.
"""

import argparse
import io
import resource
import tarfile
import tempfile
import time
import zipfile
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from spl.config.experiment import ArchiveLayout, Supplied
from spl.data.group_masks import group_masks
from spl.data.prepare_images import prepare_images
from spl.miniature.images import draw_image
from spl.miniature.masks import draw_mask
from spl.sources.fetch import fetch_raw
from spl.sources.raw_files import RawFiles, read_place
from spl.steps.settings import ImageSettings, ImageSourceSettings, MaskSettings, MaskSourceSettings


def decode(content: bytes) -> None:
    """Pillow alone."""
    Image.open(io.BytesIO(content)).load()


def decode_resize_encode(content: bytes) -> None:
    """The least that a changed size costs, with the same crop, resize and codec."""
    pixels = np.asarray(Image.open(io.BytesIO(content)))[20:198]
    resized = cv2.resize(pixels, (256, 256), interpolation=cv2.INTER_LINEAR)
    Image.fromarray(resized).save(io.BytesIO(), "PNG", compress_level=1)


def least(work, root: Path, workers: int) -> float:
    """Return the seconds that the least work on all files of a source takes in a pool of processes."""
    files = RawFiles(root)
    names = [name for name in files if not name.endswith(".txt")]
    places = [files[name] for name in names]
    began = time.perf_counter()
    with get_context("spawn").Pool(workers) as pool:
        for _ in pool.imap(partial(_least_of_place, work, root), places, chunksize=256):
            pass
        return time.perf_counter() - began


def _least_of_place(work, root, place):
    work(read_place(root, place))


def jpegs(count: int, size: tuple[int, int]) -> list[bytes]:
    """Draw some images and repeat them; photographs compress about as well."""
    drawn = [draw_image("places2", seed=1, split="train", index=i).image for i in range(min(count, 50))]
    rng, contents = np.random.default_rng(0), []
    for image in drawn:
        pixels = np.asarray(image.convert("RGB").resize(size, Image.Resampling.BICUBIC)).astype(float)
        noisy = np.clip(pixels + rng.normal(0, 8, pixels.shape), 0, 255).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(noisy).save(buffer, "JPEG", quality=90)
        contents.append(buffer.getvalue())
    return [contents[i % len(contents)] for i in range(count)]


def compare(what: str, count: int, ours: float, theirs: float) -> None:
    """Print what was reached."""
    print(f"{what}: {count / ours:,.0f}/s, {theirs / ours:.2f} of the least ({count / theirs:,.0f}/s)", flush=True)


def places(folder: Path, count: int, workers: int) -> None:
    """256 x 256 JPEG in a .tar: verified, hashed, referenced."""
    (folder / "raw").mkdir()
    with tarfile.open(folder / "raw/places365standard_easyformat.tar", "w") as archive:
        for i, content in enumerate(jpegs(count, (256, 256))):
            split = "val" if i % 50 == 0 else "train"
            info = tarfile.TarInfo(f"places365_standard/{split}/class{i % 365}/{i:08d}.jpg")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    ours = prepare(folder, "places365", None, workers)
    compare("referenced, 256 x 256 JPEG in a .tar", count, ours, least(decode, folder / "raw", workers))


def celeba(folder: Path, count: int, workers: int) -> None:
    """178 x 218 JPEG in a .zip: cropped, resized, written once."""
    (folder / "raw").mkdir()
    with zipfile.ZipFile(folder / "raw/img_align_celeba.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for i, content in enumerate(jpegs(count, (178, 218))):
            archive.writestr(f"img_align_celeba/{i:06d}.jpg", content)
    lines = (f"{i:06d}.jpg {2 if i % 50 == 0 else 0}\n" for i in range(count))
    (folder / "raw/list_eval_partition.txt").write_text("".join(lines))
    ours = prepare(folder, "celeba", 178, workers)
    compare("resized, 178 x 218 JPEG in a .zip", count, ours, least(decode_resize_encode, folder / "raw", workers))


def prepare(folder: Path, layout: str, crop: int | None, workers: int) -> float:
    """Fetch and prepare a source; return the seconds of preparing."""
    source = Supplied(kind="supplied", path=str(folder / "raw"))
    settings = ImageSourceSettings(seed=1, dataset="x", source=source, layout=ArchiveLayout(kind=layout))
    fetch_raw(settings, folder / "x.json")
    data = ImageSettings(seed=1, dataset="x", crop=crop, image_size=256, validation=0, skip_unreadable=0)
    began = time.perf_counter()
    prepare_images(data, folder / "x.json", folder / "prepared", workers=workers)
    return time.perf_counter() - began


def masks(folder: Path, count: int, workers: int) -> None:
    """512 x 512 masks in a .zip: classified and stored with 1 bit a pixel."""
    (folder / "raw").mkdir()
    drawn = []
    for i in range(min(count, 120)):
        buffer = io.BytesIO()
        draw_mask(seed=1, index=i).save(buffer, "PNG")
        drawn.append(buffer.getvalue())
    with zipfile.ZipFile(folder / "raw/test_mask.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(count):
            archive.writestr(f"mask/testing_mask_dataset/{i:05d}.png", drawn[i % len(drawn)])
    source = Supplied(kind="supplied", path=str(folder / "raw"))
    fetch_raw(MaskSourceSettings(seed=1, source=source, glob="**/*.png"), folder / "x.json")
    began = time.perf_counter()
    group_masks(MaskSettings(hole="white"), folder / "x.json", folder / "grouped", workers=workers)
    ours = time.perf_counter() - began
    compare("masks, 512 x 512 PNG in a .zip", count, ours, least(decode, folder / "raw", workers))


def huge(folder: Path, workers: int) -> None:
    """As many images as Places365 has, tiny ones: what their number costs in memory and time."""
    (folder / "raw").mkdir()
    content = jpegs(1, (32, 32))[0]
    padding = b"\0" * (-len(content) % 512)
    with open(folder / "raw/places365standard_easyformat.tar", "wb") as file:
        for i in range(1_839_960):
            split = "train" if i < 1_803_460 else "val"
            info = tarfile.TarInfo(f"places365_standard/{split}/a_class_of_scenes_{i % 365:03d}/{i:08d}.jpg")
            info.size = len(content)
            file.write(info.tobuf() + content + padding)
        file.write(b"\0" * 1024)
    source = Supplied(kind="supplied", path=str(folder / "raw"))
    settings = ImageSourceSettings(seed=1, dataset="x", source=source, layout=ArchiveLayout(kind="places365"))
    began = time.perf_counter()
    fetch_raw(settings, folder / "x.json")
    print(f"listing 1,839,960 members: {time.perf_counter() - began:.0f} s, {peak()}", flush=True)
    data = ImageSettings(seed=1, dataset="x", crop=None, image_size=32, validation=0, skip_unreadable=0)
    began = time.perf_counter()
    prepare_images(data, folder / "x.json", folder / "prepared", workers=workers)
    print(f"preparing them: {time.perf_counter() - began:.0f} s, {peak()}", flush=True)


def peak() -> str:
    """Say how much memory was used."""
    own, child = (resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return f"peak resident memory {own:.0f} MiB, of a worker {child:.0f} MiB"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--images", type=int, default=40_000)
    parser.add_argument("--masks", type=int, default=12_000)
    parser.add_argument("--huge", action="store_true", help="also the number of images of Places365; 5 GB of disk")
    arguments = parser.parse_args()
    for measure, count in ((places, arguments.images), (celeba, arguments.images // 10), (masks, arguments.masks)):
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), count, arguments.workers)
    if arguments.huge:
        with tempfile.TemporaryDirectory() as folder:
            huge(Path(folder), arguments.workers)
