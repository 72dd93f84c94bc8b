"""The resume state of a run: one file, written whole, holding everything a step depends on."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch

from spl.common.errors import CheckpointError, TrainingError
from spl.common.files import atomic
from spl.common.locks import Busy, locked
from spl.training.distributed import World
from spl.weights.files import read_tensors

NAME = "state.pt"


@contextmanager
def lock_run(folder: Path, world: World) -> Iterator[None]:
    """Hold a run's folder until its results are published.

    Raises: TrainingError if another process trains the same run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder.with_name(f"{folder.name}.lock")  # beside it: NFS removes no folder in which a file is open
    try:
        with locked(lock) if world.is_main else nullcontext():
            yield
    except Busy as holder:
        raise TrainingError(
            f"{folder} is being trained by {holder}. Let it end, or end it (kill, scancel), which saves its state, and "
            f"run again. If its machine is lost, delete {lock} first."
        ) from None


def save_state(folder: Path, state: dict[str, Any]) -> None:
    """Write the state atomically; a kill at any moment leaves the previous or the new one."""
    with atomic(folder / NAME) as temporary:
        torch.save(state, temporary)


def load_state(folder: Path, settings: str, parts: Mapping[str, Any], device: torch.device) -> tuple[int, float] | None:
    """Bring all parts of an unfinished run to where it was; return its steps and seconds, None if there is none.

    `settings` is the canonical JSON that the state must carry; a state of other settings is left to be overwritten.
    Raises: CheckpointError if the file cannot be read, or is not what `save_state` writes for these parts.
    """
    path, advice = folder / NAME, "Delete it to start the run anew."
    if not path.exists():
        return None
    state: Any = read_tensors(path, device, advice=advice)
    try:
        if state["settings"] != settings:
            return None
        for name, part in parts.items():
            part.load_state_dict(state[name])
            for weight, moments in getattr(part, "state", {}).items():  # of an optimiser, which compares no shapes
                if any(moment.dim() and moment.shape != weight.shape for moment in moments.values()):
                    raise ValueError(f"another shape in {name}")
        return int(state["step"]), float(state["seconds"])
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} is no state of this run ({error!r:.150}). {advice}") from None
