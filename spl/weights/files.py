"""Reading and writing weight files. Nothing is ever unpickled but tensors, so a file cannot run code."""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeGuard

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from spl.common.errors import CheckpointError
from spl.common.files import atomic, is_web_page

State = Mapping[str, Tensor]

WRAPPERS = ("model", "generator", "discriminator", "net")
"""Entries under which released files keep a state dict: TResNet; RFR and EdgeConnect; MFE's training script."""

SHOWN = 5
"""Entries that an error message lists before it only counts."""


def save_weights(weights: State, path: str | Path) -> None:
    """Write a state dict as safetensors, whole or not at all."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    with atomic(path) as temporary:
        save_file(tensors, temporary)
        temporary.chmod(0o644)  # the library writes files that only their owner can read


def read_state(path: str | Path) -> dict[str, Tensor]:
    """Read a flat state dict from safetensors or from a PyTorch file, which may wrap it in an entry of `WRAPPERS`.

    Raises: CheckpointError if the file is missing, damaged, wants to run code, or holds no state dict.
    """
    path = Path(path)
    if not path.is_file():
        what = "is a folder: name one file in it" if path.is_dir() else "does not exist"
        raise CheckpointError(f"{path} {what}.")
    content = _load(path)
    for entry in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(entry), Mapping):
            content = content[entry]
    if not _is_state(content):
        raise CheckpointError(f"{path} holds no weights: expected a dictionary of tensors, got {_kind(content)}.")
    return dict(content)


def _load(path: Path) -> object:
    """Read what a file holds, as long as that is made of tensors and plain values."""
    own = path.suffix == ".safetensors"
    try:
        return load_file(path) if own else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types for a damaged or foreign file
        if page := _web_page(path):
            raise CheckpointError(f"{path} {page}. Fetch it again.") from None
        if isinstance(error, pickle.UnpicklingError):
            raise CheckpointError(
                f"{path} was refused: it is damaged, or it holds more than tensors, and reading that could run code "
                f"({_cause(error)}). Nothing was run. Expected a plain state dict."
            ) from None
        kind, reason = "safetensors" if own else "PyTorch", (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointError(f"{path} is damaged, or not a {kind} file ({reason}). Fetch it again.") from None


def _is_state(content: object) -> TypeGuard[State]:
    return (
        isinstance(content, Mapping)
        and bool(content)
        and all(isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items())
    )


def _web_page(path: Path) -> str:
    """Say so if a download has brought a page instead of the file; empty if it has not."""
    with path.open("rb") as file:
        is_page = is_web_page(file.read(1024))
    return "is a web page, not a weight file: perhaps the download asked for something" if is_page else ""


def _cause(error: pickle.UnpicklingError) -> str:
    """Return what PyTorch stumbled over, without its advice on how to load the file all the same."""
    found = re.search(r"(GLOBAL|operand) \S+", str(error))
    return found[0] if found else type(error).__name__


def _kind(content: object) -> str:
    if isinstance(content, Mapping):
        return f"a dictionary with {', '.join(map(str, list(content)[:SHOWN])) or 'nothing in it'}"
    return type(content).__name__
