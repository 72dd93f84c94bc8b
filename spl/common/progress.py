"""One progress bar for all long work."""

from collections.abc import Iterable
from typing import Any, TypeVar

from tqdm import tqdm

T = TypeVar("T")


def progress(
    items: Iterable[T] | None = None, *, total: int | None = None, what: str, unit: str, **options: Any
) -> tqdm:
    """Show on a terminal how far some work is; `options` are tqdm's."""
    return tqdm(items, total=total, desc=what, unit=unit, disable=None, **options)
