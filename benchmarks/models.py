"""The measured columns of docs/models.md: parameters, GMAC, seconds and memory of filling one image.

    python benchmarks/models.py [MODEL ...] [--threads 2] [--page docs/models.md]

Each model in a process of its own, as `spl measure-cost` does it: one image, a quarter of it missing, the median of
five after a first one; memory is what building and filling add. The image has 256 pixels, and 512 for the network that
takes no other. GMAC are those of convolutions and matrix products; no FFT is counted. Prints rows of Markdown, and with
`--page` writes them into the rows of the page that begin with the same name.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch

from spl.common.errors import SPLError
from spl.config.load import load_params
from spl.config.methods import PatchMatchFill, without_training
from spl.evaluation.measure_cost import measure_method
from spl.steps.settings import Architecture

PRESETS = Path(__file__).parents[1] / "presets"
TITLES = {
    "spl": "SPL, the paper's text", "spl_released": "SPL, released", "rn": "RN", "rfr": "RFR", "mfe": "MFE",
    "ec": "EdgeConnect", "lama": "LaMa", "big_lama": "big-LaMa", "migan": "MI-GAN 256", "migan_512": "MI-GAN 512",
    "telea": "Telea", "navier_stokes": "Navier–Stokes", "biharmonic": "biharmonic", "patchmatch": "PatchMatch",
}  # fmt: skip
"""Rows of the page, by name."""


def measure(name, threads):
    """Return the cells of a model's row, in a process that has measured nothing before."""
    torch.set_num_threads(threads)
    methods = load_params(PRESETS / "paper.yaml").methods | load_params(PRESETS / "released.yaml").methods
    methods |= {"migan_512": methods["migan"], "patchmatch": PatchMatchFill(recipe="patchmatch", radius=3)}
    recipe, size = without_training(methods[name]), 512 if name == "migan_512" else 256
    built = Architecture(method=name, image_size=size, recipe=recipe, teacher=None, released=True)
    try:
        found = measure_method(built, "cpu")
    except SPLError as error:  # an extra package that is not installed
        return [str(error)]
    network = [f"{found['parameters'] / 1e6:.2f}", f"{found['gmacs']:.1f}"] if found["parameters"] else ["–", "–"]
    return [*network, f"{found['seconds_per_image']:.2g}", f"{found['peak_memory_mib']:.0f}"]


def main():
    """Print the rows, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", default=[*TITLES], help=", ".join(TITLES))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--page", type=Path)
    arguments = parser.parse_args()
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        for name in arguments.models:
            cells = [TITLES[name], *pool.submit(measure, name, arguments.threads).result()]
            print(f"| {' | '.join(cells)} |", flush=True)
            if arguments.page and len(cells) > 2:
                write_row(arguments.page, cells)


def write_row(page, cells):
    """Put cells in the place of the first ones of the row that has the same name."""
    lines = page.read_text(encoding="utf-8").splitlines()
    (row,) = (i for i, line in enumerate(lines) if line.startswith(f"| {cells[0]} |"))
    rest = lines[row].strip("| ").split(" | ")[len(cells) :]
    lines[row] = f"| {' | '.join([*cells, *rest])} |"
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
