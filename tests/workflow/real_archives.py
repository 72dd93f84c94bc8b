"""The archives of the paper's data as their authors publish them, with images of the miniature world in them."""

import hashlib
import io
import tarfile
import zipfile
from functools import cache, partial
from pathlib import Path

import yaml

from spl.config.registry import SOURCES
from spl.miniature.images import draw_image
from spl.miniature.masks import draw_mask
from spl.miniature.scenes import scene_class

TRAIN, TEST, MASKS = 10, 4, 12


@cache
def encoded(scene: str, split: str, index: int, size: tuple[int, int], form: str = "JPEG") -> bytes:
    image = draw_image(scene, seed=3, split=split, index=index).image.convert("RGB").resize(size)
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


def write_tar(path: Path, content: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def write_zip(path: Path, content: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def write_places365_easy(folder: Path, train: int = TRAIN, test: int = TEST) -> None:
    top, image = "places365_standard", partial(encoded, "places2", size=(256, 256))
    content = {f"{top}/train/{scene_class(i)}/{i + 1:08d}.jpg": image("train", i) for i in range(train)}
    content |= {f"{top}/val/{scene_class(i)}/Places365_val_{i + 1:08d}.jpg": image("test", i) for i in range(test)}
    write_tar(folder / "places365standard_easyformat.tar", content)


def write_celeba(folder: Path, train: int = TRAIN, test: int = TEST) -> None:
    """The aligned images, of which only 20 differ; the official partition has a validation part, which nothing uses."""
    parts = ["0"] * train + ["1"] * 2 + ["2"] * test
    images = [encoded("celeba", "train", i % 20, (178, 218)) for i in range(len(parts))]
    content = {f"img_align_celeba/{i:06d}.jpg": image for i, image in enumerate(images, 1)}
    write_zip(folder / "img_align_celeba.zip", content)
    lines = (f"{i:06d}.jpg {part}\n" for i, part in enumerate(parts, 1))
    (folder / "list_eval_partition.txt").write_text("".join(lines))


def write_paris(folder: Path, train: int = TRAIN, test: int = TEST) -> None:
    content = {f"paris_train_original/{i:03d}_im.JPG": encoded("paris", "train", i, (300, 260)) for i in range(train)}
    content |= {f"paris_eval_gt/{i:03d}_im.png": encoded("paris", "test", i, (227, 227), "PNG") for i in range(test)}
    write_tar(folder / "paris.tar.gz", content)


@cache
def mask(index: int) -> bytes:
    buffer = io.BytesIO()
    draw_mask(seed=3, index=index).save(buffer, "PNG")
    return buffer.getvalue()


def write_masks(folder: Path, count: int = MASKS) -> None:
    """The test set, of which only 24 differ."""
    tests = {f"mask/testing_mask_dataset/{i:05d}.png": mask(i % 24) for i in range(count)}
    write_zip(folder / "test_mask.zip", tests)


IMAGES = {"train": TRAIN, "test": TEST, "masks": MASKS}


def registry(folder: Path, mirrors=None, **images: int) -> dict:
    """The project's registry with what is published of these files, and with other mirrors by a file's name, if any."""
    sources = yaml.safe_load(SOURCES.read_text())
    for source in sources.values():
        for file in source["files"]:
            for key in ("md5", "sha256", "git_blob"):
                file.pop(key, None)
            file["mirrors"] = mirrors(file["name"]) if mirrors else file["mirrors"]
            if (path := folder / file["name"]).is_file():
                file["md5"] = hashlib.md5(path.read_bytes()).hexdigest()
        if source["images"]:
            source["images"] = {kind: (IMAGES | images)[kind] for kind in source["images"]}
    return sources
