"""One progress bar for all long work."""

from collections.abc import Iterable
from typing import Any, TypeVar

from tqdm import tqdm

T = TypeVar("T")


def progress(
    items: Iterable[T] | None = None, *, total: int | None = None, what: str, unit: str, **options: Any
) -> tqdm:
    """Show a bar on a terminal, nothing elsewhere."""
    return tqdm(items, total=total, desc=what, unit=unit, disable=None, **options)
