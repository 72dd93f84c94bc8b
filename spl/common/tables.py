"""Reading the small CSV tables that steps hand to each other."""

from pathlib import Path

import pandas as pd

from spl.common.errors import DataError


def read_table(path: str | Path, columns: tuple[str, ...] | None = None) -> pd.DataFrame:
    """Read a CSV table, or some of its columns; empty cells are empty strings and ratio bins are text.

    Raises: DataError if the file is missing or no table.
    """
    try:
        return pd.read_csv(
            path, usecols=columns, keep_default_na=False, dtype={"ratio_bin": str, "network_ratio_bin": str}
        )
    except FileNotFoundError:
        raise DataError(f"{path} does not exist. Build it first: snakemake --cores all -- {path}") from None
    except (ValueError, pd.errors.ParserError) as error:
        raise DataError(f"{path} is not a table ({error}). Delete it and run the workflow again.") from None
