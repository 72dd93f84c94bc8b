"""Filling image files: which image meets which mask, and what a file keeps."""

import glob
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image, JpegImagePlugin

from spl.common.errors import DataError
from spl.common.files import atomic
from spl.common.names import is_hidden, is_image, plain_path
from spl.common.printed import count
from spl.common.progress import progress
from spl.data.images import first_faults, load_image, read_file, to_rgb
from spl.data.masks import decode_mask
from spl.data.metadata import kept_metadata
from spl.filling.holes import check_share
from spl.filling.inpainter import Inpainter

WRITTEN = {".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF", ".webp": "WEBP", ".jpg": "JPEG", ".jpeg": "JPEG"}
"""Formats of filled images by their endings."""

STREAM = Path("-")
"""Standard input or output in place of a file."""


class Job(NamedTuple):
    """An image, its mask, and the path of the filled image."""

    image: Path
    mask: Path
    out: Path


def match_files(image: Path, mask: Path, out: Path) -> list[Job]:
    """Return the image to fill, or those of a folder or pattern, each with the mask of its name among others.

    Of several, `out` is a folder for PNG, or has a `*` for the images' names.
    Raises: DataError if only one of the two is several, there are none, two have one name, their names differ, or a
        filled image would be of no format that is written, or would replace an image or a mask.
    """
    images, masks = _several(image), _several(mask)
    if (images is None) != (masks is None):
        raise DataError(f"expected two files or two folders, got {image} and {mask}")
    if images is None or masks is None:
        jobs = [Job(image, mask, out)]
    else:
        pattern = out if "*" in out.name else out / "*.png"
        jobs = _match_names(_by_name(image, images), _by_name(mask, masks), pattern, f"{image}", f"{mask}")
    folder = jobs[0].out if images is None else jobs[0].out.parent
    if (out == STREAM and images is not None) or (folder.exists() and folder.is_dir() == (images is None)):
        raise DataError(f"expected two files or two folders, got {image} and --out {out}")
    inputs = {_identity(path) for job in jobs for path in (job.image, job.mask)} - {None}
    for job in jobs:
        if job.out.suffix.lower() not in WRITTEN and job.out != STREAM:
            raise DataError(f"{job.out}: expected a name ending in {', '.join(WRITTEN)}")
        if _identity(job.out) in inputs:
            raise DataError(f"{job.out} is an image or a mask to read, and would be replaced. Choose another --out.")
    return jobs


def _several(path: Path) -> list[Path] | None:
    """Return what is in a folder, or fits a pattern; None of a single file."""
    if path.is_dir():
        return sorted(path.iterdir())
    is_pattern = glob.has_magic(str(path)) and not path.exists()
    return sorted(map(Path, glob.glob(str(path), recursive=True))) if is_pattern else None


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from all others, whatever path leads to it; None if there is no file."""
    status = path.stat() if path.exists() else None
    return status and (status.st_dev, status.st_ino)


def _match_names(images: dict[str, Path], masks: dict[str, Path], out: Path, image: str, mask: str) -> list[Job]:
    if alone := sorted(images.keys() ^ masks.keys()):
        listed = ", ".join(str(images.get(name) or masks[name]) for name in alone[:5])
        raise DataError(
            f"{image} has {len(images)} images, {mask} has {len(masks)} masks; an image and its mask have the same "
            f"name but for the ending. Without a counterpart: {listed}{', …' if len(alone) > 5 else ''}"
        )
    return [Job(path, masks[name], out.with_name(out.name.replace("*", path.stem))) for name, path in images.items()]


def _by_name(where: Path, paths: Iterable[Path]) -> dict[str, Path]:
    """Return the images among files by their names without the ending; tell what else there is."""
    found, others = dict[str, Path](), list[str]()
    for path in (path for path in paths if not is_hidden(path.name)):
        name = plain_path(path.stem)
        if not is_image(path.name):
            others.append(path.name)
        elif name in found:
            raise DataError(f"{found[name]} and {path} have the same name but for the ending. Rename one.")
        else:
            found[name] = path
    if others:
        print(f"{where}: {len(others)} without an image's ending are left out, first {others[0]}", file=sys.stderr)
    if not found:
        raise DataError(f"{where} holds no images")
    return found


def fill_images(inpainter: Inpainter, jobs: Sequence[Job], *, hole: str, **options: Any) -> None:
    """Fill images; tell how many, where they are, what their files could not keep, and which fill may be better.

    Raises: DataError naming the images that could not be filled, when the others are.
    """
    faults, changes, advice = list[str](), Counter[str](), Counter[str]()
    for job in progress(jobs, what="fill", unit="image"):
        try:
            changed, advised = fill_image(inpainter, *job, hole=hole, **options)
            changes.update(changed)
            advice.update(advised)
        except DataError as error:
            faults.append(str(error))
    for title, clauses in (("not as in the files", changes), ("advice", advice)):
        if clauses:
            told = "; ".join(f"{clause} ({count(number, 'image')})" for clause, number in clauses.items())
            print(f"{title}: {told}", file=sys.stderr)
    if faults:
        summary = f"filled {len(jobs) - len(faults)} of {len(jobs)} images; not filled:\n{first_faults(faults)}"
        raise DataError(summary if len(jobs) > 1 else faults[0])
    where = jobs[0].out if len(jobs) == 1 else jobs[0].out.parent
    print(f"filled {count(len(jobs), 'image')}: {where}", file=sys.stderr)


def fill_image(
    inpainter: Inpainter, image: Path, mask: Path, out: Path, *, hole: str, **options: Any
) -> tuple[list[str], list[str]]:
    """Fill the holes of one image and write it at its own size.

    Outside the hole the result is the image as it is decoded, upright, bit for bit, also of 16 bits a channel, and with
    its transparency; a JPEG changes it by its compression. Inside the hole it has 8 bits, and is opaque.
    Returns what could not be kept, and advice, a clause each.
    Raises: DataError if a file is unreadable, the sizes differ, or the hole is none or over 60 % of the image.
    """
    content = _read(image)
    decoded = load_image(content, image)
    decoded = decoded.convert("L") if decoded.mode == "1" else decoded
    values = _values(content, decoded)
    missing, changes = fit_hole(_read_hole(mask, hole), values.shape[:2], decoded.info["stored"].size, mask, image)
    check_share(missing, mask, f"--hole {hole}")
    filled, missing, advice = inpainter.fill(to_rgb(decoded), missing, **options)
    shown, fresh = filled[..., 0] if values.ndim == 2 else filled, np.full_like(values, 255)
    fresh[..., : shown.shape[-1]] = shown
    values[missing] = fresh[missing] * (257 if values.dtype == np.uint16 else 1)
    encoded, lost = _encode(values, decoded, WRITTEN.get(out.suffix.lower(), "PNG"))
    if out == STREAM:
        sys.stdout.buffer.write(encoded)
    else:
        with atomic(out) as temporary:
            temporary.write_bytes(encoded)
    return changes + lost, advice


def _read(path: Path) -> bytes:
    return sys.stdin.buffer.read() if path == STREAM else read_file(path)


def _values(content: bytes, decoded: Image.Image) -> np.ndarray:
    """Return the values of a decoded image, with 16 bits if its file has them and no other reader disagrees."""
    values = np.array(decoded)  # (H, W), (H, W, 3) or (H, W, 4)
    if decoded.info["stored"].deep:
        with suppress(cv2.error):
            deep = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
            if deep is not None and deep.dtype == np.uint16 and deep.ndim == values.ndim:
                deep: Any = deep if deep.ndim == 2 else deep[..., [2, 1, 0, 3][: min(values.shape[2], deep.shape[2])]]
                if np.array_equal(deep >> 8, values):
                    return deep
    return values


def _read_hole(path: Path, hole: str) -> np.ndarray:
    """Read a mask: (H, W) bool, True = hole."""
    content = _read(path)
    if hole in ("white", "black"):
        return decode_mask(content, path, hole)
    mask = load_image(content, path)
    if mask.mode != "RGBA":
        raise DataError(f"{path} has no transparent pixels; expected some beside opaque ones. Is --hole {hole} right?")
    opaque = np.asarray(mask.getchannel("A")) > 127
    return opaque if hole == "opaque" else ~opaque


def fit_hole(
    missing: np.ndarray, shape: tuple[int, int], stored_size: tuple[int, int], mask: str | Path, image: str | Path
) -> tuple[np.ndarray, list[str]]:
    """Bring a mask of the image's aspect ratio to its size; say so. `mask` and `image` are their names.

    Shapes: missing, returned (H, W) bool; `stored_size` is the image's width and height before it is turned upright.
    Raises: DataError if the ratios differ.
    """
    if missing.shape == shape:
        return missing, []
    (rows, columns), (height, width) = missing.shape, shape
    if abs(columns * height - rows * width) <= 0.01 * rows * width:
        way = cv2.INTER_AREA if rows > height else cv2.INTER_NEAREST
        fitted = cv2.resize(missing.astype(np.float32), (width, height), interpolation=way) > 0
        return fitted, [f"mask of {columns} x {rows} pixels resized"]
    turned = stored_size == missing.shape[::-1]
    remedy = "Turn the mask as the image's EXIF turns the image." if turned else "Both must have the same aspect ratio."
    raise DataError(f"{mask} is {columns} x {rows} pixels, {image} is {width} x {height}. {remedy}")


def _encode(values: np.ndarray, decoded: Image.Image, kind: str) -> tuple[bytes, list[str]]:
    """Encode an image with what its file has beside the pixels; return also what the format cannot hold."""
    grey, deep = values.ndim == 2, values.dtype == np.uint16
    options, lost = kept_metadata(decoded, "L" if grey else "RGB", kind)
    if deep and kind in ("PNG", "TIFF"):
        if kind == "TIFF" and "exif" in options:
            lost.append("EXIF left out")
        return _encode_deep(values, options, kind), lost
    if deep or decoded.info["stored"].deep:
        values = (values >> 8).astype(np.uint8) if deep else values
        lost.append("16 bits a channel became 8")
    if kind == "JPEG":
        lost.append("outside the hole JPEG changes pixels a little, .png, .tif and .webp none")
        if not grey and values.shape[2] == 4:
            values = values[..., :3]
            lost.append("transparency left out")
        tables = getattr(decoded, "quantization", None)  # those of a JPEG: as good, and no larger
        sampling = {"subsampling": JpegImagePlugin.get_sampling(decoded)}  # pyright: ignore[reportArgumentType]
        options |= {"qtables": tables} | sampling if tables else {"quality": 95}
    options |= {"WEBP": {"lossless": True, "exact": True}, "TIFF": {"compression": "tiff_lzw"}}.get(kind, {})
    buffer = BytesIO()
    Image.fromarray(values).save(buffer, kind, **options)
    return buffer.getvalue(), lost


def _encode_deep(values: np.ndarray, options: dict[str, Any], kind: str) -> bytes:
    """Encode 16 bits a channel, which Pillow does not write in colour."""
    buffer = BytesIO()
    if kind == "TIFF":
        import tifffile

        # "resolution" has its unit; without `metadata` no description of arrays is added
        kept = {"iccprofile": options.get("icc_profile"), "resolution": options.get("dpi"), "resolutionunit": "INCH"}
        photometric = "minisblack" if values.ndim == 2 else "rgb"
        tifffile.imwrite(buffer, values, photometric=photometric, compression="zlib", metadata=None, **kept)
        return buffer.getvalue()
    ordered = values if values.ndim == 2 else values[..., [2, 1, 0, 3][: values.shape[2]]]
    encoded = cv2.imencode(".png", ordered)[1].tobytes()
    Image.new("L" if values.ndim == 2 else "RGB", (1, 1)).save(buffer, "PNG", **options)
    extra = buffer.getvalue()  # after signature and header, before the pixels, come the chunks of the metadata
    return encoded[:33] + extra[33 : extra.index(b"IDAT") - 4] + encoded[33:]
