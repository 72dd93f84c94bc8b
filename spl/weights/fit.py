"""Filling a network from a state dict, exactly or not at all."""

import re
from collections.abc import Mapping
from pathlib import Path

from torch import nn

from spl.common.errors import CheckpointError
from spl.weights.files import SHOWN, State, read_state
from spl.weights.layouts import recognise

Rules = tuple[tuple[str, str], ...]
"""Regular expressions applied in order, each to what the last one left: our name becomes the authors' key."""


def load_weights(network: nn.Module, path: str | Path) -> None:
    """Fill a network from a file that `save_weights` wrote.

    Raises: CheckpointError if the file is unreadable or does not hold exactly this network.
    """
    fill(network, read_state(path), source=str(path), layout="this project's")


def released_names(network: nn.Module, rules: Rules) -> dict[str, str]:
    """Return the authors' key of every parameter and buffer of a network."""
    names = {}
    for name in network.state_dict():
        names[name] = name
        for pattern, replacement in rules:
            names[name] = re.sub(pattern, replacement, names[name])
    return names


def fill(
    network: nn.Module,
    state: State,
    *,
    source: str,
    layout: str,
    names: Mapping[str, str] | None = None,
    hint: str = "",
) -> None:
    """Copy `state` into `network`, or say everything that does not fit; a misfit changes nothing.

    Args:
        network: what to fill.
        state: tensors by the file's keys.
        source: the file, for the message.
        layout: the expected layout, for the message.
        names: the file's key of every parameter and buffer of the network; equal names if not given.
        hint: the end of the message.

    Raises: CheckpointError if keys are missing or left over, a shape differs, or a value is no finite number.
    """
    own = network.state_dict()
    names = names or {name: name for name in own}
    if problems := misfits(network, state, names):
        raise CheckpointError(
            f"{source} does not fit: expected {layout} layout for {type(network).__name__} ({len(own)} keys), "
            f"got {len(state)} keys that look like {recognise(state).title}; {'; '.join(problems)}{hint}"
        )
    network.load_state_dict({name: state[names[name]] for name in own})


def misfits(network: nn.Module, state: State, names: Mapping[str, str]) -> list[str]:
    """List what keeps a state from filling a network exactly, one entry for each kind of fault.

    `names` has the state's key of every parameter and buffer. Works on the meta device, too.
    """
    expected = {names[name]: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {key: tuple(tensor.shape) for key, tensor in state.items()}
    other = [f"{k} {found[k]} instead of {shape}" for k, shape in expected.items() if found.get(k, shape) != shape]
    wild = [k for k, shape in expected.items() if found.get(k) == shape and not state[k].isfinite().all()]
    lines = [
        _listing("missing", [key for key in expected if key not in found]),
        _listing("unexpected", [key for key in found if key not in expected]),
        _listing("of another shape", other),
        _listing("with NaN or infinity (train or fetch it again)", wild),
    ]
    return [line for line in lines if line]


def _listing(what: str, keys: list[str]) -> str:
    """Count keys and list the first; empty if there are none."""
    if not keys:
        return ""
    more = f", and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
    return f"{len(keys)} {what}: {', '.join(keys[:SHOWN])}{more}"
