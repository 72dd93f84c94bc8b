"""Prepared images: every picture cropped, resized and stored losslessly, with a manifest."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from spl.config import Dataset
from spl.data.images import centre_crop, read_rgb, resize_image
from spl.data.layouts import RawImage, list_images
from spl.data.sources import raw_folder
from spl.errors import DataError
from spl.files import replace_folder, sha256
from spl.records import write_record
from spl.settings import DataSettings


def prepare_images(settings: DataSettings, source: Path, folder: Path, *, workers: int) -> None:
    """Bring one dataset's pictures to the network's size.

    Writes `folder`/{train,validation,test}/*.png, `manifest.csv` (split, file, source, sha256) in a stable order, and
    `record.json`; the whole folder appears at once or not at all.
    Raises: DataError naming the first unreadable picture, or if fewer training images are left than held out.
    """
    raw = raw_folder(source)
    images = _hold_out(list_images(raw, settings.dataset.layout, seed=settings.seed, name=settings.name), settings)
    with replace_folder(folder) as temporary:
        for split in {image.split for image in images}:
            (temporary / split).mkdir()
        jobs = [(raw, image, f"{image.split}/{i:07d}.png") for i, image in enumerate(images)]
        with ThreadPoolExecutor(workers) as pool:
            rows = pool.map(lambda job: _prepare(*job, temporary, settings.dataset), jobs)
            bar = tqdm(rows, total=len(jobs), desc=f"prepare {settings.name}", unit="image", disable=None)
            manifest = pd.DataFrame(bar, columns=["split", "file", "source", "sha256"])
        manifest.to_csv(temporary / "manifest.csv", index=False)
        write_record(
            temporary / "record.json",
            settings,
            inputs={"source": sha256(source)},
            images=manifest["split"].value_counts().to_dict(),
            manifest_sha256=sha256(temporary / "manifest.csv"),
        )


def _hold_out(images: list[RawImage], settings: DataSettings) -> list[RawImage]:
    """Move training images to the split `validation`, drawn from the seed."""
    train = [i for i, image in enumerate(images) if image.split == "train"]
    count = settings.dataset.validation
    if count >= len(train):
        raise DataError(
            f"datasets.{settings.name}.validation holds out {count} of {len(train)} training images, which leaves none"
        )
    rng = np.random.default_rng([settings.seed, crc32(settings.name.encode()), count])
    held_out = set(rng.choice(train, count, replace=False).tolist())
    return [image._replace(split="validation") if i in held_out else image for i, image in enumerate(images)]


def _prepare(raw: Path, image: RawImage, file: str, folder: Path, dataset: Dataset) -> tuple[str, str, str, str]:
    """Prepare one picture and return its manifest row."""
    pixels = read_rgb(raw / image.path)
    if dataset.crop is not None:
        try:
            pixels = centre_crop(pixels, dataset.crop)
        except DataError as error:
            raise DataError(f"{raw / image.path}: {error}") from None
    Image.fromarray(resize_image(pixels, dataset.image_size)).save(folder / file, compress_level=1)
    return image.split, file, image.path, sha256(folder / file)
