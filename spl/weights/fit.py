"""Filling a network from a state dict, exactly or not at all."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from torch import nn

from spl.common.errors import CheckpointError
from spl.config.releases import Release
from spl.weights.files import SHOWN, State, read_state

Rules = tuple[tuple[str, str], ...]
"""Regular expressions applied in order, each to what the last one left: our name becomes the authors' key."""

SIGNATURES = (
    ("the released SPL", r"^(generator\.)?encoder_conv1_sm\."),
    ("the released RN", r"^(generator\.)?middle\.\d+\.conv_block\.2\.sa\."),
    ("the released patch discriminator of SPL, RN and EdgeConnect", r"^conv5\.0\.weight_orig"),
    ("the released RFR", r"^Pconv1\."),
    ("the released MFE encoder (EN)", r"^Encoder_1\.model\."),
    ("the released MFE decoder (DE)", r"^Decoder_1\.model\."),
    ("the released MFE equalisation (MEDFE)", r"^pc_block\."),
    ("the released EdgeConnect edge generator", r"^encoder\.1\.weight_orig"),
    ("the released EdgeConnect inpainting generator", r"^encoder\.1\.weight"),
    ("a TResNet in its authors' layout", r"^body\.conv1\.0\."),
    ("a TResNet in timm's layout", r"^body\.conv1\.conv\."),
    ("YOLOv5 in its authors' layout", r"^(model\.)*24\.m\.0\."),
    ("this project's SPL", r"^semantic_learner\."),
    ("this project's RN", r"^blocks\.0\.norm1\.region_conv\."),
    ("this project's RFR", r"^reasoning\."),
    ("this project's MFE", r"^equalisation\."),
    ("this project's EdgeConnect", r"^edge_generator\."),
    ("this project's TResNet teacher", r"^trunk\.conv1\."),
    ("this project's YOLOv5 teacher", r"^detector\.backbone\."),
)


def describe(keys: Iterable[str]) -> str:
    """Name the layout that a file's keys look like."""
    plain = [without_module(key) for key in keys]
    for name, pattern in SIGNATURES:
        if any(re.search(pattern, key) for key in plain):
            return name
    return "nothing known here"


def without_module(key: str) -> str:
    """Remove what DataParallel and DistributedDataParallel add to a key."""
    return re.sub(r"(^|\.)module\.", r"\1", key)


def load_weights(network: nn.Module, path: str | Path) -> None:
    """Fill a network from a file that `save_weights` wrote.

    Raises: CheckpointError if the file is unreadable or does not hold exactly this network.
    """
    fill(network, read_state(path), source=str(path), layout="this project's")


def fill_released(network: nn.Module, state: State, rules: Rules, *, source: str, release: Release) -> None:
    """Fill a network from released weights, whose keys `rules` derive from ours.

    Raises: CheckpointError if they do not fit; it says where the right file is documented.
    """
    hint = (
        f"\nReleased weights fit networks of the published sizes, such as those of presets/paper.yaml (SPL's: "
        f"spl_released); `spl weights inspect` tells which. They are documented at {release.documented}."
    )
    names = released_names(network, rules)
    fill(network, state, source=source, layout=release.layout, names=names, hint=hint)


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

    Raises: CheckpointError if keys are missing or left over, or a shape differs.
    """
    own = network.state_dict()
    names = names or {name: name for name in own}
    if problems := misfits(network, state, names):
        raise CheckpointError(
            f"{source} does not fit: expected {layout} layout for {type(network).__name__} ({len(own)} keys), "
            f"got {len(state)} keys that look like {describe(state)}.\n" + "\n".join(problems) + hint
        )
    network.load_state_dict({name: state[names[name]] for name in own})


def misfits(network: nn.Module, state: State, names: Mapping[str, str]) -> list[str]:
    """List what keeps a state from filling a network exactly, one line for each kind of fault.

    `names` has the state's key of every parameter and buffer. Works on the meta device, too.
    """
    expected = {names[name]: tensor for name, tensor in network.state_dict().items()}
    lines = [
        listing("missing", [key for key in expected if key not in state]),
        listing("unexpected", [key for key in state if key not in expected]),
        listing(
            "of another shape",
            [
                f"{key} {tuple(state[key].shape)} instead of {tuple(tensor.shape)}"
                for key, tensor in expected.items()
                if key in state and state[key].shape != tensor.shape
            ],
        ),
    ]
    return [line for line in lines if line]


def listing(what: str, keys: list[str]) -> str:
    """Count keys and list the first; empty if there are none."""
    if not keys:
        return ""
    more = f", and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
    return f"  {len(keys)} {what}: {', '.join(keys[:SHOWN])}{more}"
