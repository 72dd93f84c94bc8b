"""Reading and writing the small CSV tables that steps hand to each other."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from spl.common.errors import DataError
from spl.common.files import atomic


def read_table(
    path: str | Path, columns: tuple[str, ...] | None = None, *, numbers: Iterable[str] = ()
) -> pd.DataFrame:
    """Read a CSV table, or some of its columns; ratio bins are text, and empty cells are empty strings.

    In the columns `numbers` empty cells are NaN.
    Raises: DataError if the file is missing or no table.
    """
    try:
        table = pd.read_csv(
            path, usecols=columns, keep_default_na=False, dtype={"ratio_bin": str, "network_ratio_bin": str}
        )
    except FileNotFoundError:
        raise DataError(f"{path} does not exist. Build it first: snakemake --cores all -- {path}") from None
    except (ValueError, pd.errors.ParserError) as error:
        raise DataError(f"{path} is not a table ({error}). Delete it and run the workflow again.") from None
    return table.assign(**{name: as_numbers(table[name]) for name in numbers})


def as_numbers(column: pd.Series) -> np.ndarray:
    """Return a column (n,) as numbers; empty cells are NaN."""
    return pd.to_numeric(column.replace("", np.nan)).to_numpy(float)


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a CSV table atomically, rounded to six decimals."""
    with atomic(path) as temporary:
        table.round(6).to_csv(temporary, index=False)
