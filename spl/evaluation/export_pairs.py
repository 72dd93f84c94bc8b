"""Published pairs for another program: images and masks in the layout that it takes."""

from pathlib import Path

import numpy as np
from PIL import Image

from spl.common.errors import DataError
from spl.common.files import replace_folder, sha256, write_text
from spl.common.progress import progress
from spl.common.tables import write_table
from spl.evaluation.external import OF_MASK, published_pairs
from spl.steps.settings import PairSettings

LAYOUTS = {
    "plain": ("masks/{}.png", "hole", 1, "images/NAME.png and masks/NAME.png -> FILLED/NAME.png"),
    "iopaint": ("masks/{}.png", "hole", 1, "iopaint run --model=lama --image=images --mask=masks --output=FILLED"),
    "lama": (f"images/{{}}{OF_MASK}.png", "hole", 1, "bin/predict.py model.path=… indir=…/images outdir=…/FILLED"),
    "mat": ("masks/{}.png", "known", 512, "generate_image.py --network=… --dpath=images --mpath=masks --outdir=FILLED"),
}
"""Where masks lie beside images/NAME.png, what is white in them, what sides are multiples of, the program's call."""

README = """# {count} pairs of {dataset} for another program

- images/NAME.png: the prepared image, pixel by pixel, {size} x {size} in RGB of 8 bits, but black in the hole, where
  some fills look. Nothing was padded or resized.
- {mask}: the mask, white = {white}.
- pairs.csv: what every NAME was made from, hole ratio and bin, and the sha256 of both files.

The program ({layout}) is called as

    {command}

and has to leave {count} PNG of the same size in RGB of 8 bits, each called NAME or as its mask. They are measured where
the pairs came from:

    spl score --composited FILLED --pairs {pairs}
"""


def export_pairs(settings: PairSettings, data: Path, out: Path, layout: str) -> None:
    """Write the pairs of a folder of data in one of `LAYOUTS` to the folder `out`, with pairs.csv and README.md.

    Raises: DataError if the layout's program takes no images of this size; RecordError as `published_pairs` does.
    """
    (place, white, step, command), size, dataset = LAYOUTS[layout], settings.image_size, settings.dataset
    if size % step:
        raise DataError(
            f"{layout} takes sides that are multiples of {step}, and images of {dataset} have {size}. Padded or "
            f"enlarged they would be another test: take another layout, or datasets.{dataset}.image_size: {step}"
        )
    pairs, rows = published_pairs(settings, data), []
    with replace_folder(out, inputs=(data,)) as temporary:
        for i, name in enumerate(progress(pairs.names, what="export", unit="pair")):
            image, hole = pairs.pixels(i)
            image = np.where(hole[..., None], np.uint8(0), image)
            files = temporary / f"images/{name}.png", temporary / place.format(name)
            for file, pixels in zip(files, (image, np.uint8(255) * (hole == (white == "hole"))), strict=True):
                file.parent.mkdir(exist_ok=True)
                Image.fromarray(pixels).save(file, compress_level=1)
            rows.append((name, *map(sha256, files)))
        pairs.table[["name", "input_sha256", "input_mask_sha256"]] = rows
        write_table(temporary / "pairs.csv", pairs.table)
        facts = {"count": len(pairs), "dataset": dataset, "size": size, "white": white, "layout": layout}
        facts |= {"mask": place.format("NAME"), "command": command, "pairs": data / f"pairs/{dataset}.csv"}
        write_text(temporary / "README.md", README.format(**facts))
