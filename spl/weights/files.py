"""Reading and writing weight files. Nothing is ever unpickled but tensors, so a file cannot run code."""

import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TypeGuard

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from spl.common.errors import CheckpointError
from spl.common.files import atomic, foreign_content
from spl.weights.lightning import STAND_INS

State = Mapping[str, Tensor]

WRAPPERS = ("model", "generator", "discriminator", "net")
"""Entries under which released files keep a state dict: TResNet; RFR and EdgeConnect; MFE's training script."""

SHOWN = 5
"""Entries that an error message lists before it only counts."""


def save_weights(weights: State, path: str | Path) -> None:
    """Write a state dict as safetensors, whole or not at all."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    with atomic(path) as temporary:
        mode = temporary.stat().st_mode
        save_file(tensors, temporary)
        temporary.chmod(mode)  # the library writes files that only their owner can read


def read_state(path: str | Path) -> dict[str, Tensor]:
    """Read a flat state dict from safetensors or from a PyTorch file, which may wrap it in an entry of `WRAPPERS`.

    A Lightning checkpoint wraps it in `state_dict`.

    Raises: CheckpointError if the file is missing, damaged, wants to run code, or holds no state dict.
    """
    content = read_tensors(Path(path))
    lightning = isinstance(content, Mapping) and "pytorch-lightning_version" in content
    for entry in ("state_dict",) if lightning else WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(entry), Mapping):
            content = content[entry]
    if not _is_state(content):
        raise CheckpointError(f"{path} holds no weights: expected a dictionary of tensors, got {_kind(content)}.")
    return dict(content)


def read_tensors(path: Path, device: str | torch.device = "cpu", *, advice: str = "Fetch it again.") -> object:
    """Read what a safetensors or PyTorch file holds, as long as that is made of tensors and plain values.

    Raises: CheckpointError, ending with `advice`, if it is missing, damaged, of another kind, or wants to run code.
    """
    if not path.is_file():
        what = "is a folder: name one file in it" if path.is_dir() else "does not exist"
        raise CheckpointError(f"{path} {what}.")
    own = path.suffix == ".safetensors"
    try:
        with (
            warnings.catch_warnings(action="ignore"),  # advice on other ways to load the file
            torch.serialization.safe_globals(STAND_INS),
        ):
            return load_file(path) if own else torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch raises many types for a damaged or foreign file
        with path.open("rb") as file:
            foreign = foreign_content(file.read(1024))
        if "TorchScript" in str(error):
            foreign = "a TorchScript archive, whose program is not run: expected the state dict of its network"
        if foreign:
            fault = f"is {foreign}"
        elif isinstance(error, pickle.UnpicklingError):
            fault = (
                "was refused: it is damaged, or it holds more than tensors, and reading that could run code "
                f"({_cause(error)}). Nothing was run. Expected a plain state dict"
            )
        else:
            fault = f"is damaged, or not a {'safetensors' if own else 'PyTorch'} file ({_cause(error)})"
        raise CheckpointError(f"{path} {fault}. {advice}") from None


def _is_state(content: object) -> TypeGuard[State]:
    return (
        isinstance(content, Mapping)
        and bool(content)
        and all(isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items())
    )


def _cause(error: Exception) -> str:
    """Return what a library stumbled over, without PyTorch's advice on how to load the file all the same."""
    text = str(error).strip() or type(error).__name__
    if found := re.search(r"(GLOBAL|operand) \S+", text):
        return found[0]
    return type(error).__name__ if "weights_only" in text else text.splitlines()[0]


def _kind(content: object) -> str:
    if isinstance(content, Mapping):
        return f"a dictionary with {', '.join(map(str, list(content)[:SHOWN])) or 'nothing in it'}"
    return type(content).__name__
