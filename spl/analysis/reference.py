"""The committed numbers of the embedded default, and how far those of another run are from them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from spl.common.files import read_json, write_json
from spl.common.metrics import METRICS
from spl.common.tables import as_numbers, read_table, write_table
from spl.steps.records import read_record, take_all

CELL = ["dataset", "method", "mask_ratio", "metric"]
TABLES = {"table1.csv": "ours", "ablations.csv": "value"}
"""The tables that are kept, and where their numbers stand."""

DISTANCES = (
    "equal", "within rounding", "within spread", "beyond spread", "no spread known", "other data", "missing",
)  # fmt: skip
"""Rounding: by less than half a unit of the last decimal that is printed. Spread: by no more than another run of the
reference, where there is one. Other data: images, masks or conventions, by the signature.
"""
NEAR = DISTANCES[:3]


def read_numbers(folder: Path) -> pd.DataFrame:
    """Return `value` and `signature` of the cells of Table 1 and of the ablations, of results or of a reference."""
    there = {name: value for name, value in TABLES.items() if name == "table1.csv" or (folder / name).exists()}
    tables = [read_table(folder / n, (*CELL, v, "signature")).rename(columns={v: "value"}) for n, v in there.items()]
    cells = pd.concat(tables).drop_duplicates(CELL).set_index(CELL)
    return cells.assign(value=as_numbers(cells["value"])).dropna()


def read_facts(folder: Path) -> dict[str, str]:
    """Return what made the numbers: code, versions, machine, threads, seeds; of results from their records."""
    if (folder / "reference.json").exists():
        return read_json(folder / "reference.json")
    table = read_record(folder / "table1.json")
    made = [read_record(path) for path in folder.glob("eval/*/*/*/record.json")]
    facts = {name: {record[name] for record in made} for name in ("cpu", "device")}
    facts |= {"threads": {record["settings"]["threads"] for record in made}, "seeds": table["settings"]["seeds"]}
    return table["versions"] | {name: " ".join(sorted(map(str, values))) for name, values in facts.items()}


def name_facts(facts: dict[str, str], known: dict[str, str]) -> str:
    """Name what made numbers, but for what made others, too."""
    return ", ".join(f"{name} {value}" for name, value in facts.items() if value != known.get(name)) or "nothing"


def compare(folder: Path, reference: Path) -> pd.DataFrame:
    """Return the `difference` of every number of the reference, and its `distance`, one of `DISTANCES`."""
    old, new = read_numbers(reference), read_numbers(folder)
    new = new.reindex(old.index)
    spread = read_table(reference / "spread.csv").set_index(CELL)["difference"].abs().groupby(CELL).max()
    limit = spread.reindex(old.index)
    rounding = 0.5 * 10.0 ** -old.index.get_level_values("metric").map(lambda name: METRICS[name].decimals)
    difference = (new["value"] - old["value"]).round(6)  # as tables are
    far = difference.abs().where(new["signature"] == old["signature"])
    cases = [far == 0, far < rounding, far <= limit, far > limit, far.notna(), difference.notna()]
    return pd.DataFrame({"difference": difference, "distance": np.select(cases, DISTANCES[:-1], DISTANCES[-1])})


def render(compared: pd.DataFrame, folder: Path, reference: Path) -> str:
    """Say what made the numbers of a reference and of results; of each method how far its cells are, and PSNR."""
    counts = compared.groupby(["dataset", "method"])["distance"].value_counts().unstack(fill_value=0)
    psnr = compared["difference"].xs(("all", "psnr"), level=("mask_ratio", "metric"))
    table = counts[[distance for distance in DISTANCES if distance in counts]].assign(**{"PSNR, all": psnr})
    known, runs = read_facts(reference), read_table(reference / "spread.csv")["run"].unique()
    return (
        f"reference: {name_facts(known, {})}\n{folder} otherwise: {name_facts(read_facts(folder), known)}\n"
        f"spread: {'; '.join(runs) or 'none measured'}\n\n{table.to_string(float_format='{:+.2f}'.format)}"
    )


def write_reference(results: Path, others: Sequence[Path], out: Path) -> None:
    """Keep the numbers of results as the reference, and, if there are other runs of them, how far those are from it.

    Raises: RecordError if a table was edited.
    """
    take_all(results / name for name in TABLES)
    facts, numbers = read_facts(results), read_numbers(results)
    write_json(out / "reference.json", facts)
    for name, value in TABLES.items():
        write_table(out / name, read_table(results / name, (*CELL, value, "signature")))
    runs = [pd.DataFrame(columns=[*CELL, "difference", "run"]).astype({"difference": float})]
    for other in others:
        difference = (read_numbers(other)["value"] - numbers["value"]).rename("difference").dropna().reset_index()
        runs.append(difference.assign(run=name_facts(read_facts(other), facts)))
    if others or not (out / "spread.csv").exists():
        write_table(out / "spread.csv", pd.concat(runs))
