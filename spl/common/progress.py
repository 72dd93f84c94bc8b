"""One progress bar for all long work."""

import sys
from collections.abc import Iterable
from typing import Any, TypeVar

from tqdm import tqdm

T = TypeVar("T")


def progress(
    items: Iterable[T] | None = None, *, total: int | None = None, what: str, unit: str, **options: Any
) -> tqdm:
    """Return a progress bar over items, or one to update by hand; it is drawn on a terminal only."""
    return tqdm(items, total=total, desc=what, unit=unit, disable=None, **options)


def say(line: str) -> None:
    """Print a line to the error stream, above a progress bar if there is one."""
    tqdm.write(line, file=sys.stderr)
