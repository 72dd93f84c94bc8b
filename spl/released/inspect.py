"""What a weight file is, and whether it fits."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from spl.common.files import sha256
from spl.config.methods import Network
from spl.config.releases import RELEASES
from spl.models.build import build_generator
from spl.models.discriminator import PatchDiscriminator
from spl.models.ec import EdgeGenerator, InpaintGenerator
from spl.models.mfe import build_mfe
from spl.models.rfr import build_rfr
from spl.models.rn import build_rn
from spl.models.spl import build_spl
from spl.released.layouts.discriminator import DISCRIMINATOR_RULES
from spl.released.layouts.ec import EC_RULES
from spl.released.layouts.mfe import DECODER_RULES, ENCODER_RULES, EQUALISATION_RULES
from spl.released.layouts.rfr import RFR_RULES
from spl.released.layouts.rn import RN_RULES
from spl.released.layouts.spl import SPL_RULES
from spl.released.layouts.tresnet import TOP, TRESNET, TRESNET_RULES
from spl.released.layouts.yolov5 import YOLOV5, YOLOV5_RULES, with_one_prefix
from spl.steps.records import read_record, read_settings
from spl.steps.settings import RunSettings, TeacherSettings
from spl.teachers.build import build_teacher, detected_classes
from spl.teachers.tresnet import TResNetTeacher
from spl.teachers.yolov5 import COCO_SIDE, COCO_SIZES, build_yolov5
from spl.weights.files import State, read_state
from spl.weights.fit import Rules, describe, misfits, released_names, without_module

Build = Callable[[], nn.Module]


class Published(NamedTuple):
    """A network in its published sizes, and how its authors call its parameters."""

    builds: dict[str, Build]
    """By what sets a variant apart."""
    rules: Rules
    use: str = ""
    """Where `params.yaml` takes the file."""
    documented: str = ""


def _part_of(recipe: str, build: Build, rules: Rules, variants: dict[str, Build] | None = None) -> Published:
    """Describe the released generator of a recipe, or a part of it."""
    release = RELEASES[recipe]
    path = "the folder of " + ", ".join(release.files) if release.files else "this file"
    use = f"methods.<a method with recipe: {recipe}>.weights.<dataset>: {{source: released, path: {path}}}"
    return Published({"": build} | (variants or {}), rules, use, release.documented)


YOLOV5_LAYOUT = "YOLOv5 in its authors' layout"


def _coco_detector(size: str) -> nn.Module:
    depth, width = COCO_SIZES[size]
    return build_yolov5(depth=depth, width=width, num_classes=80, side=COCO_SIDE)


PUBLISHED = {
    "the released SPL": _part_of(
        "spl", partial(build_spl, semantic_learner="dense", semantic_blocks=16, fusion="one_plus_gamma"), SPL_RULES
    ),
    "the released RN": _part_of("rn", build_rn, RN_RULES),
    "the released patch discriminator of SPL, RN and EdgeConnect": Published(
        {"": PatchDiscriminator, "of edges": partial(PatchDiscriminator, channels=2)}, DISCRIMINATOR_RULES
    ),
    "the released RFR": _part_of("rfr", build_rfr, RFR_RULES, {"with kernel: 5": partial(build_rfr, kernel=5)}),
    "the released MFE encoder (EN)": _part_of("mfe", lambda: build_mfe().encoder, ENCODER_RULES),
    "the released MFE decoder (DE)": _part_of("mfe", lambda: build_mfe().decoder, DECODER_RULES),
    "the released MFE equalisation (MEDFE)": _part_of("mfe", lambda: build_mfe().equalisation, EQUALISATION_RULES),
    "the released EdgeConnect edge generator": _part_of("ec", EdgeGenerator, EC_RULES),
    "the released EdgeConnect inpainting generator": _part_of("ec", InpaintGenerator, EC_RULES),
    "a TResNet in its authors' layout": Published(
        {"": partial(TResNetTeacher.build, layers=(4, 5), width_factor=1.2)},
        TRESNET_RULES,
        "teachers.<name>: {kind: tresnet_released, path: this file}",
        TRESNET.documented,
    ),
    YOLOV5_LAYOUT: Published(
        {f"with size: {size}": partial(_coco_detector, size) for size in COCO_SIZES},
        YOLOV5_RULES,
        "teachers.<name>: {kind: yolov5_released, size: as above, path: this file}",
        YOLOV5.documented,
    ),
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
    if layout == YOLOV5_LAYOUT:
        state = with_one_prefix(state)
    if layout in PUBLISHED:
        published = PUBLISHED[layout]
        found, network = {}, None
        for variant, build in published.builds.items():
            with torch.device("meta"):
                network = build()
            found[variant] = misfits(network, _network_part(state), released_names(network, published.rules))
        best = min(found, key=lambda variant: len(found[variant]))  # the first, where all have equally many faults
        problems = found[best]
        fits = f"{'no' if problems else 'yes'}, the published {type(network).__name__} {best}"
        facts |= {"fits": fits.rstrip(), "documented": published.documented, "use": published.use}
    elif (record := path.with_name("run.json")).is_file():
        name, network = _network_of(record, layout)
        problems = misfits(network, state, {key: key for key in network.state_dict()})
        facts["fits"] = f"{'no' if problems else 'yes'}, the {name} of {record}"
    else:
        facts["fits"] = "unknown"
    lines = [f"{name:12}{value}" for name, value in facts.items() if value]
    return Inspection(not problems, "\n".join(lines + problems))


def _network_of(record: Path, layout: str) -> tuple[str, nn.Module]:
    """Return what a run made, whose weights look like `layout`, and its network without values."""
    settings = read_settings(record, TeacherSettings if "teacher" in layout else RunSettings)
    with torch.device("meta"):
        if isinstance(settings, TeacherSettings):
            return "teacher", build_teacher(settings.network, classes=len(detected_classes(record)) or 1)
        assert isinstance(settings.recipe, Network)
        channels = read_record(record)["teacher_channels"]
        network = build_generator(settings.recipe, image_size=settings.image_size, teacher_channels=channels)
        return settings.method, network


def _network_part(state: State) -> State:
    """Leave what released files hold beside the network: other networks, a second copy of a layer, a teacher's top."""
    prefix = "generator."
    generator = {key.removeprefix(prefix): tensor for key, tensor in state.items() if key.startswith(prefix)}
    return generator or {key: value for key, value in state.items() if not re.match(r"features\.0\.|" + TOP, key)}
