"""What a weight file is, and whether it fits."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from spl.files import read_json, sha256
from spl.models.build import build_generator
from spl.models.discriminator import PatchDiscriminator
from spl.models.ec import EdgeGenerator, InpaintGenerator
from spl.models.mfe import build_mfe
from spl.models.rfr import build_rfr
from spl.models.rn import build_rn
from spl.models.spl import build_spl
from spl.recipes import NetworkMethod
from spl.records import read_settings
from spl.settings import RunSettings, TeacherSettings
from spl.teachers.build import build_teacher
from spl.weights.files import State, read_state
from spl.weights.fit import Rules, describe, misfits, released_names, without_module
from spl.weights.layouts.discriminator import DISCRIMINATOR_RULES
from spl.weights.layouts.ec import EC_RULES
from spl.weights.layouts.mfe import DECODER_RULES, ENCODER_RULES, EQUALISATION_RULES
from spl.weights.layouts.rfr import RFR_RULES
from spl.weights.layouts.rn import RN_RULES
from spl.weights.layouts.spl import SPL_RULES
from spl.weights.releases import RELEASES


class Published(NamedTuple):
    """A network in its published sizes, and how its authors call its parameters."""

    builds: tuple[Callable[[], nn.Module], ...]
    rules: Rules
    recipe: str | None
    """The recipe whose `weights` take the file."""


PUBLISHED = {
    "the released SPL": Published(
        (lambda: build_spl(semantic_body="dense", semantic_blocks=16, gamma="one_plus_gamma"),), SPL_RULES, "spl"
    ),
    "the released RN": Published((build_rn,), RN_RULES, "rn"),
    "the released patch discriminator of SPL, RN and EdgeConnect": Published(
        (PatchDiscriminator, lambda: PatchDiscriminator(channels=2)), DISCRIMINATOR_RULES, None
    ),
    "the released RFR": Published((build_rfr, lambda: build_rfr(kernel=5)), RFR_RULES, "rfr"),
    "the released MFE encoder (EN)": Published((lambda: build_mfe().encoder,), ENCODER_RULES, "mfe"),
    "the released MFE decoder (DE)": Published((lambda: build_mfe().decoder,), DECODER_RULES, "mfe"),
    "the released MFE equalisation (MEDFE)": Published((lambda: build_mfe().equalisation,), EQUALISATION_RULES, "mfe"),
    "the released EdgeConnect edge generator": Published((EdgeGenerator,), EC_RULES, "ec"),
    "the released EdgeConnect inpainting generator": Published((InpaintGenerator,), EC_RULES, "ec"),
}
"""By the name that `describe` gives."""


class Inspection(NamedTuple):
    """What was found in a file."""

    fits: bool
    report: str


def inspect_weights(path: Path) -> Inspection:
    """Tell a weight file's layout and whether it fills the published network, or the network of the run beside it.

    Raises: CheckpointError if the file is missing, damaged, wants to run code, or holds no weights.
        RecordError if the record beside the file is not that of a run.
    """
    state = {without_module(key): tensor for key, tensor in read_state(path).items()}
    layout = describe(state)
    facts = {
        "file": str(path),
        "sha256": sha256(path),
        "looks like": layout,
        "tensors": f"{len(state)}, {sum(tensor.numel() for tensor in state.values()):,} values",
    }
    problems = ["  neither a released layout nor the weights of a run of this project (run.json beside them)"]
    if layout in PUBLISHED:
        published = PUBLISHED[layout]
        with torch.device("meta"):
            networks = [build() for build in published.builds]
        found = [
            misfits(network, _network_part(state), released_names(network, published.rules)) for network in networks
        ]
        problems = min(found, key=len)  # the first, where all have equally many kinds of faults
        facts["fits"] = f"{'no' if problems else 'yes'}, the published {type(networks[0]).__name__}"
        if published.recipe:
            release = RELEASES[published.recipe]
            facts["documented"] = release.documented
            where = "the folder of " + ", ".join(release.files) if release.files else str(path)
            facts["use"] = f"methods.<a method with recipe: {published.recipe}>.weights.<dataset>: " + (
                "{source: released, path: " + where + "}"
            )
    elif (record := path.with_name("run.json")).is_file():
        name, network = _network_of(record, layout)
        problems = misfits(network, state, {key: key for key in network.state_dict()})
        facts["fits"] = f"{'no' if problems else 'yes'}, the {name} of {record}"
    else:
        facts["fits"] = "unknown"
    lines = [f"{name:12}{value}" for name, value in facts.items()]
    return Inspection(not problems, "\n".join(lines + problems))


def _network_of(record: Path, layout: str) -> tuple[str, nn.Module]:
    """Return what a run made, whose weights look like `layout`, and its network without values."""
    settings = read_settings(record, TeacherSettings if "teacher" in layout else RunSettings)
    with torch.device("meta"):
        if isinstance(settings, TeacherSettings):
            return "teacher", build_teacher(settings.teacher)
        assert isinstance(settings.recipe, NetworkMethod)
        channels = read_json(record)["teacher_channels"]
        network = build_generator(settings.recipe, image_size=settings.image_size, teacher_channels=channels)
        return settings.method, network


def _network_part(state: State) -> State:
    """Leave what released files hold beside a generator, and the second copy of a discriminator's first layer."""
    generator = {
        key.removeprefix("generator."): tensor for key, tensor in state.items() if key.startswith("generator.")
    }
    return generator or {key: tensor for key, tensor in state.items() if not key.startswith("features.0.")}
