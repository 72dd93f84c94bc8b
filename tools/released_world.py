"""Run presets/released.yaml on all three sets: fabricated archives and weights of the true layouts and widths.

python tools/released_world.py FOLDER [--images 12] [--cores 1]

Shows that everything can be made once the files are there, and how long it takes here; the numbers mean nothing.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from spl.config.load import load_params
from tests.conftest import REPOSITORY
from tests.released.world import place_images, place_weights
from tests.workflow.conftest import Clone

PRESET = REPOSITORY / "presets/released.yaml"


def main() -> None:
    """Place the files, run Snakemake, print Table 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where to work; must not exist")
    parser.add_argument("--images", type=int, default=12, help="test images of each set")
    parser.add_argument("--cores", type=int, default=1)
    arguments = parser.parse_args()
    folder, began = arguments.folder.absolute(), time.perf_counter()
    folder.mkdir(parents=True)
    sets = dict.fromkeys(("places2", "celeba", "paris"))
    clone = Clone(folder, folder / ".cache")
    clone.env |= {"SPL_SOURCES": str(place_images(folder, sets, test=arguments.images)), "SPL_OFFLINE": "1"}
    place_weights(folder, load_params(PRESET), sets)
    print(f"files placed: {time.perf_counter() - began:.0f} s", flush=True)
    workflow = ["--snakefile", REPOSITORY / "Snakefile", "--profile", REPOSITORY / "profiles/default"]
    cores = ["--cores", str(arguments.cores)]
    command = ["snakemake", *workflow, *cores, "--configfile", PRESET, "--", "all"]
    subprocess.run(command, cwd=folder, env=clone.env, check=True)
    print((folder / "results/table1.md").read_text())
    print(f"everything made: {time.perf_counter() - began:.0f} s; see {folder}/results/report.html")


if __name__ == "__main__":
    main()
