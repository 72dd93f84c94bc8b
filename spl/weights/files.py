"""Reading and writing weight files. Nothing is ever unpickled but tensors, so a file cannot run code."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from spl.errors import CheckpointError
from spl.files import atomic

State = Mapping[str, Tensor]

WRAPPERS = ("model", "generator", "net")
"""Entries under which released files keep a state dict: TResNet; RFR and EdgeConnect; MFE's training script."""

SHOWN = 5
"""Entries that an error message lists before it only counts."""


def save_weights(weights: State, path: str | Path) -> None:
    """Write a state dict as safetensors, whole or not at all."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    with atomic(path) as temporary:
        save_file(tensors, temporary)


def read_state(path: str | Path) -> dict[str, Tensor]:
    """Read a flat state dict from safetensors or from a PyTorch file, which may wrap it in an entry of `WRAPPERS`.

    Raises: CheckpointError if the file is missing, damaged, wants to run code, or holds no state dict.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist, or is not a file.")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    for entry in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(entry), Mapping):
            content = content[entry]
    if not isinstance(content, Mapping) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        raise CheckpointError(f"{path} holds no weights: expected a dictionary of tensors, got {_kind(content)}.")
    return dict(content)


def _read_safetensors(path: Path) -> State:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged, or not a safetensors file ({error}). Fetch it again.") from None


def _read_torch(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).strip().splitlines()[0]
        raise CheckpointError(
            f"{path} was refused: it holds more than tensors, and reading that could run code ({reason}). "
            "Nothing was run. Expected a plain state dict."
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError, AttributeError, TypeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(f"{path} is damaged, or not a PyTorch file ({reason}). Fetch it again.") from None


def _kind(content: object) -> str:
    if isinstance(content, Mapping):
        return f"a dictionary with {', '.join(map(str, list(content)[:SHOWN])) or 'nothing in it'}"
    return type(content).__name__
