"""The archives of the paper's data as their authors publish them, with images of the miniature world in them."""

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import yaml

from spl.config.registry import SOURCES
from spl.miniature.images import draw_image
from spl.miniature.masks import draw_mask
from spl.miniature.scenes import scene_class

TRAIN, TEST, MASKS = 10, 4, 12


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


def places(train: int = TRAIN, test: int = TEST) -> dict[str, list[tuple[str, bytes]]]:
    """Training and validation images of 256 x 256 with the class of each."""
    counts = {"train": train, "test": test}
    return {
        split: [(scene_class(i), encoded("places2", split, i, (256, 256))) for i in range(count)]
        for split, count in counts.items()
    }


def write_places365_easy(folder: Path) -> None:
    images, top = places(), "places365_standard"
    content = {f"{top}/train/{c}/{i:08d}.jpg": data for i, (c, data) in enumerate(images["train"], 1)}
    content |= {f"{top}/val/{c}/Places365_val_{i:08d}.jpg": data for i, (c, data) in enumerate(images["test"], 1)}
    write_tar(folder / "places365standard_easyformat.tar", content)


def write_places365_flat(folder: Path) -> None:
    images = places()
    train = {f"/{c[0]}/{c}/{i:08d}.jpg": data for i, (c, data) in enumerate(images["train"], 1)}
    val = {f"Places365_val_{i:08d}.jpg": data for i, (_, data) in enumerate(images["test"], 1)}
    write_tar(folder / "train_256_places365standard.tar", {f"data_256{path}": data for path, data in train.items()})
    write_tar(folder / "val_256.tar", {f"val_256/{path}": data for path, data in val.items()})
    lists = {"places365_train_standard.txt": train, "places365_val.txt": val}
    content = {name: "".join(f"{path} 7\n" for path in listed).encode() for name, listed in lists.items()}
    write_tar(folder / "filelist_places365-standard.tar", content)


def write_celeba(folder: Path, train: int = TRAIN, test: int = TEST) -> None:
    """The aligned images; the official partition has a validation part, which nothing uses."""
    parts = ["0"] * train + ["1"] * 2 + ["2"] * test
    content = {
        f"img_align_celeba/{i:06d}.jpg": encoded("celeba", "train", i, (178, 218)) for i in range(1, len(parts) + 1)
    }
    write_zip(folder / "img_align_celeba.zip", content)
    lines = (f"{i:06d}.jpg {part}\n" for i, part in enumerate(parts, 1))
    (folder / "list_eval_partition.txt").write_text("".join(lines))


def write_paris(folder: Path) -> None:
    content = {f"paris_train_original/{i:03d}_im.JPG": encoded("paris", "train", i, (300, 260)) for i in range(TRAIN)}
    content |= {f"paris_eval_gt/{i:03d}_im.png": encoded("paris", "test", i, (227, 227), "PNG") for i in range(TEST)}
    write_tar(folder / "paris.tar.gz", content)


def masks(count: int = MASKS, *, hole: str = "white") -> list[bytes]:
    contents = []
    for i in range(count):
        buffer = io.BytesIO()
        mask = draw_mask(seed=3, index=i)
        (mask if hole == "white" else mask.point(lambda value: 255 - value)).save(buffer, "PNG")
        contents.append(buffer.getvalue())
    return contents


def write_masks(folder: Path, count: int = MASKS) -> None:
    """The test set, white = hole, and the raw training set, which looks the other way round."""
    tests = {f"mask/testing_mask_dataset/{i:05d}.png": data for i, data in enumerate(masks(count))}
    write_zip(folder / "test_mask.zip", tests)
    raw = {f"irregular_mask/disocclusion_img_mask/{i:05d}.png": data for i, data in enumerate(masks(hole="black"))}
    write_zip(folder / "irregular_mask.zip", raw)


IMAGES = {"train": TRAIN, "test": TEST, "masks": MASKS}


def registry(folder: Path, mirrors, **images: int) -> dict:
    """The project's registry with other mirrors, given by the file's name, and what is published of these files."""
    sources = yaml.safe_load(SOURCES.read_text())
    for source in sources.values():
        for file in source["files"]:
            for key in ("md5", "sha256", "git_blob"):
                file.pop(key, None)
            file["mirrors"] = mirrors(file["name"])
            if (path := folder / file["name"]).is_file():
                file["md5"] = hashlib.md5(path.read_bytes()).hexdigest()
        if source["images"]:
            source["images"] = {kind: (IMAGES | images)[kind] for kind in source["images"]}
    return sources
