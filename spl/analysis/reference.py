"""The committed numbers of the embedded default, and how far those of another run are from them."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spl.common.files import read_json, write_json
from spl.common.metrics import METRICS
from spl.common.tables import as_numbers, read_table, write_table
from spl.steps.records import read_record, take

CELL = ["metric", "method", "dataset", "mask_ratio"]
TABLES = {"table1.csv": "ours", "ablations.csv": "value"}
"""The tables that are kept, and where their numbers stand."""


class Distance(StrEnum):
    """How far a number is from the reference's; a spread is that of the reference's other runs."""

    EQUAL = "equal"
    ROUNDING = "within rounding"
    """By less than half a unit of the last decimal that is printed."""
    SPREAD = "within spread"
    BEYOND = "beyond spread"
    UNKNOWN = "no spread known"
    """Beyond rounding, and nobody has measured more."""
    OTHER_DATA = "other data"
    """Of other images, masks or conventions, by the signature."""
    MISSING = "missing"


FAR = (Distance.BEYOND, Distance.UNKNOWN, Distance.OTHER_DATA, Distance.MISSING)


def read_numbers(folder: Path) -> pd.DataFrame:
    """Return `value` and `signature` of the cells of Table 1 and of the ablations, of results or of a reference."""
    tables = [
        read_table(folder / name, (*CELL, value, "signature")).rename(columns={value: "value"})
        for name, value in TABLES.items()
        if (folder / name).exists() or name == "table1.csv"
    ]
    cells = pd.concat(tables).drop_duplicates(CELL).set_index(CELL)
    cells["value"], cells["signature"] = as_numbers(cells["value"]), cells["signature"].str.partition(" ")[0]
    return cells.dropna()


def read_facts(folder: Path) -> dict[str, Any]:
    """Return what made the numbers: code, versions, machine, threads, seeds; of results from their records."""
    if (folder / "reference.json").exists():
        return read_json(folder / "reference.json")
    table = read_record(folder / "table1.json")
    records = [read_record(path) for path in sorted(folder.glob("eval/*/*/*/record.json"))]
    made = {name: sorted({str(record[name]) for record in records}) for name in ("cpu", "device")}
    threads = sorted({record["settings"]["threads"] for record in records})
    return table["versions"] | made | {"threads": threads, "seeds": table["settings"]["seeds"]}


def differing_facts(old: dict[str, Any], new: dict[str, Any]) -> str:
    """Name what made the new numbers otherwise than the old ones."""
    return ", ".join(f"{name} {_shown(value)}" for name, value in new.items() if value != old.get(name))


def _shown(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def compare(folder: Path, reference: Path) -> pd.DataFrame:
    """Return `difference` and `distance` of every cell of the reference."""
    old, new = read_numbers(reference), read_numbers(folder)
    new = new.reindex(old.index)
    difference = new["value"] - old["value"]
    decimals = np.array([METRICS[metric].decimals for metric in old.index.get_level_values("metric")])
    spread = read_table(reference / "spread.csv").groupby(CELL)["difference"].agg(lambda all: all.abs().max())
    far, limit = difference.abs(), spread.reindex(old.index)
    cases = [
        (difference.isna(), Distance.MISSING),
        (new["signature"] != old["signature"], Distance.OTHER_DATA),
        (far == 0, Distance.EQUAL),
        (far < 0.5 / 10.0**decimals, Distance.ROUNDING),
        (far <= limit, Distance.SPREAD),
        (limit.isna(), Distance.UNKNOWN),
    ]
    conditions, names = zip(*cases, strict=True)
    return pd.DataFrame({"difference": difference, "distance": np.select(conditions, names, Distance.BEYOND)})


def render(compared: pd.DataFrame, folder: Path, reference: Path) -> str:
    """Say what made the numbers of a reference and of results; of each method how far its cells are, and PSNR."""
    counts = pd.crosstab(
        [compared.index.get_level_values(name) for name in ("dataset", "method")],
        compared["distance"].to_numpy(),
        rownames=["dataset", "method"], colnames=["cells"],
    )  # fmt: skip
    counts = counts[[distance for distance in Distance if distance in counts]]
    psnr = compared["difference"].xs(("psnr", "all"), level=("metric", "mask_ratio")).swaplevel()
    table = counts.assign(**{"PSNR, all": psnr.map("{:+.2f}".format)}).to_string()
    spread = "; ".join(read_table(reference / "spread.csv")["run"].unique()) or "none measured"
    facts = read_facts(reference)
    lines = [
        f"reference: {differing_facts({}, facts)}",
        f"{folder} otherwise: {differing_facts(facts, read_facts(folder)) or 'nothing'}",
        f"spread: {spread}",
    ]
    return "\n".join([*lines, "", table])


def write_reference(results: Path, others: Sequence[Path], out: Path) -> None:
    """Keep the numbers of results as the reference, and, if there are other runs of them, how far those are from it.

    Raises: RecordError if a table was edited.
    """
    facts, numbers = read_facts(results), read_numbers(results)
    for name, value in TABLES.items():
        take(table=results / name)
        table = read_table(results / name, (*CELL, value, "signature"))
        write_table(out / name, table.assign(signature=table["signature"].str.partition(" ")[0]))
    write_json(out / "reference.json", facts)
    runs = [
        (read_numbers(other)["value"] - numbers["value"])
        .rename("difference").dropna().reset_index().assign(run=differing_facts(facts, read_facts(other)))
        for other in others
    ]  # fmt: skip
    if runs or not (out / "spread.csv").exists():
        write_table(out / "spread.csv", pd.concat([pd.DataFrame(columns=[*CELL, "difference", "run"]), *runs]))
