"""Weights in and out: our own safetensors files, and the files the papers' authors released.

A released layout is a table of regular expressions from our parameter names to theirs. A file must hold exactly the
keys that the table asks for, in the right shapes; whatever else it may hold is named too. Nothing is ever unpickled
but tensors (`weights_only=True`), so a file cannot run code.
"""

import pickle
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from spl.errors import CheckpointError
from spl.files import atomic

State = Mapping[str, Tensor]
Rules = tuple[tuple[str, str], ...]

SHOWN = 5
"""Keys that an error message lists before it only counts."""


# --- Our own files ----------------------------------------------------------------------------------------------------


def save_weights(weights: State, path: str | Path) -> None:
    """Write a state dict as safetensors, whole or not at all."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    with atomic(path) as temporary:
        save_file(tensors, temporary)


def load_weights(network: nn.Module, path: str | Path) -> None:
    """Fill a network from a file that `save_weights` wrote.

    Raises: CheckpointError if the file is unreadable or does not hold exactly this network.
    """
    fill(network, read_state(path), source=str(path), layout="this project's")


def fill(network: nn.Module, state: State, *, source: str, layout: str, names: Mapping[str, str] | None = None) -> None:
    """Copy `state` into `network`, or say everything that does not fit; a misfit changes nothing.

    Args:
        network: what to fill.
        state: tensors by the file's keys.
        source: the file, for the message.
        layout: the expected layout, for the message.
        names: the file's key of every parameter and buffer of the network; equal names if not given.

    Raises: CheckpointError if keys are missing or left over, or a shape differs.
    """
    own = network.state_dict()
    names = names or {name: name for name in own}
    expected = {names[name]: tensor for name, tensor in own.items()}
    problems = [
        _listing("missing", [key for key in expected if key not in state]),
        _listing("unexpected", [key for key in state if key not in expected]),
        _listing(
            "of another shape",
            [
                f"{key} {tuple(state[key].shape)} instead of {tuple(tensor.shape)}"
                for key, tensor in expected.items()
                if key in state and state[key].shape != tensor.shape
            ],
        ),
    ]
    if any(problems):
        raise CheckpointError(
            f"{source} does not fit: expected {layout} layout for {type(network).__name__} ({len(expected)} keys), "
            f"got {len(state)} keys that look like {describe(state)}.\n" + "\n".join(filter(None, problems))
        )
    network.load_state_dict({name: state[names[name]] for name in own})


def _listing(what: str, keys: list[str]) -> str:
    if not keys:
        return ""
    more = f", and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
    return f"  {len(keys)} {what}: {', '.join(keys[:SHOWN])}{more}"


# --- Reading any file safely ------------------------------------------------------------------------------------------


def read_state(path: str | Path) -> dict[str, Tensor]:
    """Read a flat state dict from safetensors or from a PyTorch file, which may wrap it under `model` or `generator`.

    Raises: CheckpointError if the file is missing, damaged, wants to run code, or holds no state dict.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist, or is not a file.")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    for entry in ("model", "generator"):
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


SIGNATURES = (
    ("the released SPL", r"^(generator\.)?encoder_conv1_sm\."),
    ("the released RN", r"^(generator\.)?middle\.\d+\.conv_block\.2\.sa\."),
    ("the released patch discriminator of SPL and RN", r"^conv5\.0\.weight_orig"),
    ("the released RFR", r"^(generator\.)?Pconv1\."),
    ("MFE's", r"^(pc_block|loss\.0\.down_model)\."),
    ("EdgeConnect's", r"^encoder\.1\.weight"),
    ("a TResNet in its authors' layout", r"^body\.conv1\.0\."),
    ("a TResNet in timm's layout", r"^body\.conv1\.conv\."),
    ("this project's SPL", r"^semantic_learner\."),
    ("this project's RN", r"^blocks\.0\.norm1\.region_conv\."),
    ("this project's TResNet teacher", r"^trunk\.conv1\."),
)


def describe(keys: Iterable[str]) -> str:
    """Name the layout that a file's keys look like."""
    plain = [_without_module(key) for key in keys]
    for name, pattern in SIGNATURES:
        if any(re.search(pattern, key) for key in plain):
            return name
    return "nothing known here"


# --- Released layouts -------------------------------------------------------------------------------------------------
# Rules are applied in order, each to what the last one left: our name becomes the authors' key.

GENERATOR_RULES: Rules = (  # what SPL and RN share
    (r"^image_encoder\.conv(\d)\.", r"encoder_conv\1."),
    (r"^image_encoder\.norm(\d)\.hole_", r"encoder_in\1.foreground_"),
    (r"^image_encoder\.norm(\d)\.valid_", r"encoder_in\1.background_"),
    (r"^(image_decoder\.)?upsampling\.conv1\.", "decoder.0."),
    (r"^(image_decoder\.)?upsampling\.norm1\.", "decoder.2."),
    (r"^(image_decoder\.)?upsampling\.conv2\.", "decoder.4."),
    (r"^(image_decoder\.)?upsampling\.norm2\.", "decoder.6."),
    (r"^(image_decoder\.)?upsampling\.conv3\.", "decoder.9."),
    (r"^(decoder\.\d)\.region_conv\.", r"\1.sa.conv1."),
    (r"^(decoder\.\d)\.(gamma|beta)_conv\.", r"\1.sa.\2_conv."),
)
SPL_RULES: Rules = (
    *GENERATOR_RULES,
    (r"^semantic_learner\.conv(\d)\.", r"encoder_conv\1_sm."),
    (r"^semantic_learner\.body\.conv\.", "encoder_sm_out."),
    (r"^semantic_learner\.body\.dense_blocks\.(\d+)\.convs\.(\d)\.", r"rdbs.\1.layers.\2.conv."),
    (r"^semantic_learner\.body\.dense_blocks\.(\d+)\.fusion\.", r"rdbs.\1.lff."),
    (r"^semantic_learner\.body\.fusion\.", "gff."),
    (r"^semantic_learner\.body\.residual_blocks\.(\d)\.conv1\.", r"feature_recon.\1.conv_block.1."),
    (r"^semantic_learner\.body\.residual_blocks\.(\d)\.conv2\.", r"feature_recon.\1.conv_block.4."),
    (r"^semantic_learner\.adapter\.", "feature_mapping."),
    (r"^image_decoder\.fusion\.blocks\.(\d)\.norm1\.", r"middle.\1.conv_block.0."),
    (r"^image_decoder\.fusion\.blocks\.(\d)\.conv1\.", r"middle.\1.conv_block.3."),
    (r"^image_decoder\.fusion\.blocks\.(\d)\.norm2\.", r"middle.\1.conv_block.4."),
    (r"^image_decoder\.fusion\.blocks\.(\d)\.conv2\.", r"middle.\1.conv_block.7."),
    (r"^(middle\..*)\.shared_conv\.", r"\1.mlp_shared.0."),
    (r"^(middle\..*)\.(gamma|beta)_conv\.", r"\1.mlp_\2."),
)
RN_RULES: Rules = (
    *GENERATOR_RULES,
    (r"^blocks\.(\d)\.conv1\.", r"middle.\1.conv_block.1."),
    (r"^blocks\.(\d)\.norm1\.", r"middle.\1.conv_block.2."),
    (r"^blocks\.(\d)\.conv2\.", r"middle.\1.conv_block.5."),
    (r"^blocks\.(\d)\.norm2\.", r"middle.\1.conv_block.6."),
    (r"^(middle\..*)\.region_conv\.", r"\1.sa.conv1."),
    (r"^(middle\..*)\.(gamma|beta)_conv\.", r"\1.sa.\2_conv."),
)
DISCRIMINATOR_RULES: Rules = tuple((rf"^convs\.{i}\.", f"conv{i + 1}.0.") for i in range(5))
TRESNET_RULES: Rules = (
    (r"^trunk\.", "body."),
    (r"^(body\.layer2\.0\.conv1)\.(conv|bn)\.", r"\1.0.\2."),  # followed by a blur, hence one level deeper
    (r"\.conv\.", ".0."),
    (r"\.bn\.", ".1."),
)


def load_released_spl(
    source: str | Path | State,
    *,
    generator: nn.Module | None = None,
    discriminator: nn.Module | None = None,
    teacher: nn.Module | None = None,
) -> None:
    """Fill networks from a released SPL file, or from its state dict.

    The file is the state of the authors' whole training module: generator, discriminator, two constants, and perhaps
    the teacher's trunk. A plain generator state dict will do as well.

    Raises: CheckpointError if a network that was asked for is missing or does not fit, or if the file has other parts.
    """
    parts, label = _parts(source, "the released SPL")
    if generator:
        _fill_renamed(generator, parts["generator"], SPL_RULES, label, "the released SPL")
    if discriminator:
        _fill_discriminator(discriminator, parts["discriminator"], label)
    if teacher:
        _fill_tresnet(teacher, parts["tresnet_xL_hold"], label)


def load_released_rn(
    source: str | Path | State, *, generator: nn.Module | None = None, discriminator: nn.Module | None = None
) -> None:
    """Fill networks from a released RN file, or from its state dict; a plain generator state dict will do as well.

    Raises: CheckpointError if a network that was asked for is missing or does not fit, or if the file has other parts.
    """
    parts, label = _parts(source, "the released RN")
    if generator:
        _fill_renamed(generator, parts["generator"], RN_RULES, label, "the released RN")
    if discriminator:
        _fill_discriminator(discriminator, parts["discriminator"], label)


def load_released_tresnet(source: str | Path | State, teacher: nn.Module) -> None:
    """Fill a teacher's trunk from a TResNet checkpoint of its authors, such as the Open Images one.

    Raises: CheckpointError if the trunk is not wholly there.
    """
    state, label = _open(source)
    _fill_tresnet(teacher, state, label)


def _open(source: str | Path | State) -> tuple[State, str]:
    if isinstance(source, Mapping):
        return source, "the state dict"
    return read_state(source), str(source)


def _without_module(key: str) -> str:
    """Remove what DistributedDataParallel adds to a key."""
    return re.sub(r"(^|\.)module\.", r"\1", key)


def _parts(source: str | Path | State, layout: str) -> tuple[dict[str, State], str]:
    """Split a released file by network; a network that is not in it has an empty state."""
    state, label = _open(source)
    state = {_without_module(key): tensor for key, tensor in state.items()}
    names = ("generator", "discriminator", "tresnet_xL_hold", "adversarial_loss")
    if not any(key.startswith("generator.") for key in state):
        return {name: state if name == "generator" else {} for name in names}, label
    parts: dict[str, dict[str, Tensor]] = {name: {} for name in names}
    strange = []
    for key, tensor in state.items():
        name, _, rest = key.partition(".")
        if name in parts:
            parts[name][rest] = tensor
        else:
            strange.append(key)
    if strange:
        raise CheckpointError(
            f"{label} does not fit: expected {layout} layout with the parts {', '.join(names)}.\n"
            + _listing("unexpected", strange)
        )
    return dict(parts), label


def released_names(network: nn.Module, rules: Rules) -> dict[str, str]:
    """Return the authors' key of every parameter and buffer of a network."""
    names = {}
    for name in network.state_dict():
        names[name] = name
        for pattern, replacement in rules:
            names[name] = re.sub(pattern, replacement, names[name])
    return names


def _fill_renamed(network: nn.Module, state: State, rules: Rules, label: str, layout: str) -> None:
    fill(network, state, source=label, layout=layout, names=released_names(network, rules))


def _fill_discriminator(discriminator: nn.Module, state: State, label: str) -> None:
    """The authors registered the first layer twice; the copy, where there is one, must agree."""
    copies = {key: tensor for key, tensor in state.items() if key.startswith("features.0.")}
    for key, tensor in copies.items():
        original = state.get(key.replace("features.0.", "conv1.0."))
        if original is None or not torch.equal(original, tensor):
            raise CheckpointError(f"{label} contradicts itself: {key} is not equal to the discriminator's first layer.")
    rest = {key: tensor for key, tensor in state.items() if key not in copies}
    _fill_renamed(discriminator, rest, DISCRIMINATOR_RULES, label, "the released patch discriminator's")


def _fill_tresnet(teacher: nn.Module, state: State, label: str) -> None:
    """Take the trunk and leave layer3, layer4 and the head.

    The authors' in-place activated batch norm scales by |w| + 1e-5, where half of the w may be negative. An ordinary
    batch norm gets that value.
    """
    trunk = {key: tensor for key, tensor in state.items() if not re.match(r"(body\.layer[34]|head)\.", key)}
    norms = {key.removesuffix("running_mean") + "weight" for key in trunk if key.endswith(".running_mean")}
    trunk = {key: tensor.abs() + 1e-5 if key in norms else tensor for key, tensor in trunk.items()}
    _fill_renamed(teacher, trunk, TRESNET_RULES, label, "the authors' TResNet")
