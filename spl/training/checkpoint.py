"""The resume state of a run: one file, written whole, holding everything a step depends on."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch

from spl.common.errors import CheckpointError, TrainingError
from spl.common.files import atomic
from spl.common.locks import Busy, locked
from spl.training.distributed import World

NAME = "state.pt"


@contextmanager
def lock_run(folder: Path, world: World) -> Iterator[None]:
    """Hold a run's folder until its results are published.

    Raises: TrainingError if another process trains the same run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder / "lock") if world.is_main else nullcontext():
            yield
    except Busy:
        raise TrainingError(
            f"{folder} is in use by another process that trains the same run. Stop that one first."
        ) from None


def save_state(folder: Path, state: dict[str, Any]) -> None:
    """Write the state atomically; a kill at any moment leaves the previous or the new one."""
    with atomic(folder / NAME) as temporary:
        torch.save(state, temporary)


def load_state(folder: Path, settings: str, device: torch.device) -> dict[str, Any] | None:
    """Return the state of an unfinished run with equal settings and inputs; None if there is none.

    `settings` is the canonical JSON that the state must carry; a state of other settings is left to be overwritten.
    Raises: CheckpointError if the file cannot be read.
    """
    path = folder / NAME
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch raises many types for a damaged or foreign file
        raise CheckpointError(f"{path} cannot be read ({error}). Delete it to start the run anew.") from error
    return state if state.get("settings") == settings else None
