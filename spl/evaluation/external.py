"""Images that another program has filled: read by name, compared with their inputs, measured as ours are."""

from collections.abc import Sequence
from os.path import splitext
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from spl.common.errors import DataError
from spl.common.files import sha256
from spl.common.progress import progress, say
from spl.data.images import first_faults, load_image, read_file, read_rgb, to_rgb
from spl.data.masks import ratio_bin, read_mask
from spl.evaluation.metrics import measure, psnr_hole
from spl.evaluation.per_image import PAIR
from spl.sources.raw_files import RawFiles
from spl.steps.paths import composited_files
from spl.steps.records import require_current, take
from spl.steps.settings import PairSettings
from spl.tensors.loaders import TestPairs

OF_MASK = "_mask001"
"""LaMa's program wants the names of masks to end so, and names what it has filled after them."""

KNOWN_PSNR = 20.0
"""dB of a known part below which an image is that of another input; networks that do not composite are far above."""


def named_images(folder: Path, names: Sequence[str] = ()) -> dict[str, Path]:
    """Return the images of a folder by their paths in it without ending and `_mask001`; those of some names in order.

    Raises: DataError if two have one name, there are none, one is missing, or one has another name.
    """
    found = dict[str, Path]()
    for path in (folder / path for path in RawFiles(folder).images("**")):
        name = splitext(path.relative_to(folder))[0].removesuffix(OF_MASK)
        if found.setdefault(name, path) != path:
            raise DataError(f"{found[name]} and {path} have the same name but for the ending. Remove one.")
    lists = {"missing": [*{*names} - {*found}], "of no pair": [*{*found} - {*names}] if names else []}
    if any(lists.values()) or not found:
        told = [f"{len(some)} {what}, such as {min(some)}" for what, some in lists.items() if some]
        raise DataError("; ".join([f"{folder} has {len(found)} images, expected {len(names) or 'some'}", *told]))
    return {name: found[name] for name in names or found}


def published_pairs(settings: PairSettings, data: Path) -> TestPairs:
    """Return the pairs of a dataset in a folder of data.

    Raises: RecordError if they were drawn with other settings, for other images or masks, or edited.
    """
    pairs, images = data / f"pairs/{settings.dataset}.csv", data / f"prepared/{settings.dataset}/manifest.csv"
    masks = data / "masks/masks.csv"
    require_current(pairs.with_suffix(".json"), settings, take(images=images, masks=masks))
    take(pairs=pairs)
    return TestPairs(pairs, images, masks, image_size=settings.image_size)


class FolderPairs:
    """True images and masks of equal names in two folders; as `TestPairs`, as far as measuring needs that.

    Raises: DataError if names or sizes differ, a hole is missing, or a file cannot be read.
    """

    def __init__(self, images: Path, masks: Path, *, hole: str) -> None:
        self._images, self._hole = named_images(images), hole
        self.names, self.size, rows = [*self._images], 0, []
        self._masks = named_images(masks, self.names)
        for i, (name, image) in enumerate(self._images.items()):
            shown, missing = self.pixels(i)
            if missing.shape != shown.shape[:2] or not missing.any():
                raise DataError(f"{self._masks[name]} has no hole, or another size than {image}")
            self.size, ratio = max(self.size, *missing.shape), float(missing.mean())
            rows.append((name, sha256(image), name, sha256(self._masks[name]), ratio, ratio_bin(ratio) or ""))
        self.table = pd.DataFrame(rows, columns=PAIR)

    def pixels(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Return image (H, W, 3) uint8 and hole (H, W) bool."""
        return read_rgb(self._images[self.names[i]]), read_mask(self._masks[self.names[i]], self._hole)


def measure_folder(
    folder: Path, pairs: TestPairs | FolderPairs, *, composite: bool, keep: Path | None = None
) -> tuple[pd.DataFrame, str]:
    """Return per_image.csv of a folder with an image for every pair, and how far known parts were off, if they were.

    Known parts that are off are refused, or with `composite` replaced by those of the inputs. What was measured is kept
    in `keep`, if given, named by `composited_files`.
    Raises: DataError naming the images that are missing, of no pair, or not filled versions of their inputs.
    """
    files, rows, faults, off = [*named_images(folder, pairs.names).values()], [], list[str](), list[float]()
    for i, file in enumerate(progress([*composited_files(pairs.table["image"])], what="measure", unit="image")):
        image, hole = pairs.pixels(i)
        try:
            filled = read_filled(files[i], image, hole, off if composite else None)
        except DataError as fault:
            faults.append(str(fault))
            continue
        rows.append(measure(filled, image, hole))
        if keep:
            (keep / file).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(filled).save(keep / file, compress_level=1)
            rows[-1] |= {"composited_sha256": sha256(keep / file)}
    if faults:
        raise DataError(f"{folder}: {len(faults)} of {len(files)} images cannot be used\n{first_faults(faults)}")
    told = f"{len(off)} of {len(files)} known parts were off (mean PSNR {np.mean(off):.1f} dB), replaced" if off else ""
    if told:
        say(f"{folder}: {told}")
    return pairs.table[PAIR].join(pd.DataFrame(rows).round(6)), told


def read_filled(path: Path, image: np.ndarray, hole: np.ndarray, off: list[float] | None) -> np.ndarray:
    """Read a filled image and composite it, (H, W, 3) uint8.

    A known part that is not the input's is refused, or, if there is a list for its PSNR, replaced.
    Raises: DataError if that is so, or the image has another size, a wrong format, or has moved.
    """
    decoded = load_image(content := read_file(path), path)
    mode, size, deep = decoded.info["stored"]
    if content.startswith(b"\xff\xd8"):
        raise DataError(f"{path} is a JPEG, which changes pixels; expected PNG")
    if deep or mode not in ("RGB", "L") or size != image.shape[1::-1]:
        found = f"{size[0]} x {size[1]} pixels in {mode} of {16 if deep else 8} bits"
        expected = f"{image.shape[1]} x {image.shape[0]} in RGB of 8 bits, without alpha"
        raise DataError(f"{path} has {found}; expected {expected}")
    filled = to_rgb(decoded)
    if largest := int(cv2.absdiff(filled, image)[~hole].max(initial=0)):
        psnr, grey = psnr_hole(filled, image, ~hole), [one.mean(axis=2) for one in (image, filled)]
        told = f"{path}: the known part is off by up to {largest} of 255 (PSNR {psnr:.1f} dB)"
        right, down = map(round, cv2.phaseCorrelate(*grey)[0])
        if psnr_hole(np.roll(filled, (-down, -right), (0, 1)), image, ~hole) > psnr + 3:
            raise DataError(f"{told}: the image has moved, {right} pixels to the right and {down} down")
        if psnr < KNOWN_PSNR:
            raise DataError(f"{told}: an image of another input")
        if off is None:
            raise DataError(f"{told}; composite it, or ask for it (`composite: true`, spl score --composite)")
        off.append(psnr)
    return np.where(hole[..., None], filled, image)
