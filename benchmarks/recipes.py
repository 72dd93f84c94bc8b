"""What would another recipe do for a method? On validation images, held out of the training images.

    python benchmarks/recipes.py tries/faces --datasets celeba "rn" "rn_slow=rn: {training: {lr: 0.00025}}"

Every arm is `name=method: changes`, the changes as in the preset, or the name of a method as it stands there.
The folder holds a workspace as any other; a second call with further arms goes on in it, and what is there stays.
Prints, and writes to `recipes.csv` in it, for every arm, and seed of the preset, its mean PSNR on all hole ratios
beside the best classical fill's, and the paired difference over images with its 95 % interval. Test images are not
touched. docs/recipes.md has what was tried.
"""

import argparse
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from spl.common.tables import read_table

CLASSICAL = ("telea", "navier_stokes", "biharmonic")
WITHOUT = ("ablations", "detection", "figures")


def changed(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return nested values with some of them replaced."""
    return values | {
        key: changed(values[key], value) if isinstance(value, dict) and isinstance(values.get(key), dict) else value
        for key, value in changes.items()
    }


def experiment(preset: Path, arms: list[str], datasets: list[str], held_out: int) -> dict[str, Any]:
    """Return a preset with these arms for methods, measured on held out training images.

    Raises: KeyError if there is no such method or dataset.
    """
    base = yaml.safe_load(preset.read_text(encoding="utf-8"))
    methods = {name: base["methods"][name] for name in CLASSICAL}
    for arm in arms:
        name, _, change = arm.rpartition("=")
        ((method, changes),) = yaml.safe_load(change).items() if ":" in change else [(change, {})]
        recipe = changed(base["methods"][method], changes)
        own = {key: values for key, values in recipe["training"]["per_dataset"].items() if key in datasets}
        methods[name or method] = recipe | {"training": recipe["training"] | {"per_dataset": own}}
    return (
        base
        | {
            "datasets": {name: base["datasets"][name] | {"validation": held_out} for name in datasets},
            "methods": methods,
            "teachers": {name: base["teachers"][name] for name in base["teachers"] if used(name, base, methods)},
            "evaluation": changed(base["evaluation"], {"split": "validation", "perceptual": {"metrics": []}}),
        }
        | dict.fromkeys(WITHOUT)
    )


def used(teacher: str, base: dict[str, Any], methods: dict[str, Any]) -> bool:
    """Tell whether a teacher is needed."""
    return teacher in [base.get("perceptual_network", {}).get("teacher"), *(m.get("teacher") for m in methods.values())]


def compare(folder: Path) -> pd.DataFrame:
    """Return one row for every dataset, arm and seed that has been evaluated."""
    rows = []
    for dataset in sorted(path.name for path in (folder / "results/eval").iterdir()):
        psnr = {
            path.parts[-3:-1]: read_table(path)["psnr"]  # (arm, seed)
            for path in sorted(folder.glob(f"results/eval/{dataset}/*/seed*/per_image.csv"))
        }
        floor = max((psnr[run] for run in psnr if run[0] in CLASSICAL), key=lambda values: values.mean())
        for (arm, seed), values in psnr.items():
            if arm not in CLASSICAL:
                gain = values - floor
                half = 1.96 * gain.std() / len(gain) ** 0.5
                means = {"psnr": values.mean(), "best_fill": floor.mean(), "gain": gain.mean(), "half_width": half}
                rows.append({"dataset": dataset, "arm": arm, "seed": seed} | {k: round(v, 2) for k, v in means.items()})
    return pd.DataFrame(rows)


def main() -> None:
    """Run the workflow, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("arms", nargs="+")
    parser.add_argument("--datasets", nargs="+", default=["places2", "celeba", "paris"])
    parser.add_argument("--preset", type=Path, default=Path("presets/demo.yaml"))
    parser.add_argument("--held-out", type=int, default=64, help="Images of each data set, to measure on.")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    file = arguments.folder / "params.yaml"
    values = experiment(arguments.preset, arguments.arms, arguments.datasets, arguments.held_out)
    file.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    workflow = ["snakemake", "--cores", "all", "--configfile", str(file), "--directory", str(arguments.folder)]
    subprocess.run([*workflow, "--", "results/table1.csv"], check=True)
    table = compare(arguments.folder)
    table.to_csv(arguments.folder / "recipes.csv", index=False)
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
