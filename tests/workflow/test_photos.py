"""docs/photos.md is followed literally, from a folder of photographs to a filled one, at the smallest size."""

import re

import numpy as np
import pandas as pd
from PIL import Image

from tests.conftest import REPOSITORY
from tests.workflow.conftest import Clone, copy_repository

SMALL = {
    "image_size: 64": "image_size: 32",
    "per_bin: 100": "per_bin: 2",
    "  telea: {recipe: telea, radius: 3}\n": "",
    "  biharmonic: {recipe: biharmonic}\n": "",
    "semantic_blocks: 5": "semantic_blocks: 1",
    "blocks: 4": "blocks: 1",
    "width: 8": "width: 4",
    "epochs: 120": "epochs: 1",
    "samples: 2000": "samples: 100",
    "least_images: 20": "least_images: 2",
}


def shrink(text):
    """Make the preset tiny: small sizes, few steps, both networks and one classical fill, no figures."""
    for value, smaller in SMALL.items():
        assert value in text
        text = text.replace(value, smaller)
    return text[: text.index("\nfigures:")] + "\nfigures: null\n"


def test_the_page_leads_from_a_folder_to_a_filled_photograph(tmp_path):
    copy_repository(tmp_path / "clone")
    clone = Clone(tmp_path / "clone", tmp_path / "cache")
    clone.env |= {"HOME": str(tmp_path)}
    preset = clone.folder / "presets/photos.yaml"
    preset.write_text(shrink(preset.read_text()))
    garden = tmp_path / "Pictures/garden"
    garden.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 48, 3), dtype=np.uint8)
    for i, image in enumerate(pixels):
        Image.fromarray(image).save(garden / f"{i}.jpg")
    Image.fromarray(pixels[0]).save(clone.folder / "wall.jpg")
    hole = np.zeros((40, 48), np.uint8)
    hole[10:20, 10:20] = 255
    Image.fromarray(hole).save(clone.folder / "hole.png")

    page = (REPOSITORY / "docs/photos.md").read_text()
    (block,) = re.findall(r"^```bash\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    clone.run("bash", "-e", "-c", block)

    results = clone.folder / "photos/results"
    table = pd.read_csv(results / "table1.csv").query("metric == 'psnr' and mask_ratio == 'all'").set_index("method")
    assert table["status"].to_dict() == {"navier_stokes": "classical fill", "rn": "trained here", "spl": "trained here"}
    assert (table["n_images"] == 6).all()
    named = [name for name in re.findall(r"^\| `(results/[^`]+)`", page, re.MULTILINE) if "figures" not in name]
    assert len(named) == 4
    assert all((clone.folder / "photos" / name).exists() for name in named)
    filled = np.asarray(Image.open(clone.folder / "filled.png"))
    was = np.asarray(Image.open(clone.folder / "wall.jpg"))
    assert np.array_equal(filled[hole == 0], was[hole == 0])
    assert not np.array_equal(filled[hole > 0], was[hole > 0])
