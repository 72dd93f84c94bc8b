"""The layout of a weight file, and whether it fits."""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from spl.common.files import sha256
from spl.config.methods import NoNetwork
from spl.models.build import build_generator
from spl.released.published import PUBLISHED, Published
from spl.steps.records import read_record, read_settings
from spl.steps.settings import RunSettings, TeacherSettings
from spl.teachers.build import build_teacher, detected_classes
from spl.weights.files import State, read_state
from spl.weights.fit import misfits, released_names
from spl.weights.layouts import recognise


class Inspection(NamedTuple):
    """Findings about a file."""

    fits: bool
    report: str


def inspect_weights(path: Path) -> Inspection:
    """Tell a weight file's layout and whether it fills the published network, or the network of the run beside it.

    Raises: CheckpointError if the file is missing, damaged, wants to run code, or holds no weights.
        RecordError if the record beside the file is not that of a run.
    """
    state = read_state(path)
    layout, record = recognise(state), path.with_name("run.json")
    facts = {
        "file": str(path),
        "sha256": sha256(path),
        "looks like": layout.title,
        "tensors": f"{len(state)}, {sum(tensor.numel() for tensor in state.values()):,} values",
    }
    if published := PUBLISHED.get(layout):
        network, problems = _compare_with_published(published, state)
        facts["fits"] = f"{'no' if problems else 'yes'}, the published {network}"
        facts |= {"documented": published.release.documented, "use": published.use}
    elif record.is_file():
        name, network = _network_of(record)
        problems = misfits(network, state, released_names(network, ()))
        facts["fits"] = f"{'no' if problems else 'yes'}, the {name} of {record}"
    else:
        facts["fits"] = "unknown"
        problems = ["neither a released layout nor the weights of a run of this project (run.json beside them)"]
    lines = [f"{name:12}{value}" for name, value in facts.items() if value]
    return Inspection(not problems, "\n  ".join(["\n".join(lines), *problems]))


def _compare_with_published(published: Published, state: State) -> tuple[str, list[str]]:
    """Return the name of the variant that a state fits best, the first of equals, and why it does not fit it."""
    found = {}
    for variant, build in published.builds.items():
        with torch.device("meta"):
            network = build()
        name = f"{type(network).__name__} {variant}".rstrip()
        found[name] = misfits(network, published.network_state(state), released_names(network, published.rules))
    return min(found.items(), key=lambda pair: len(pair[1]))


def _network_of(record: Path) -> tuple[str, nn.Module]:
    """Return what a run made, and its network without values."""
    teacher = read_record(record)["step"] == TeacherSettings.step
    settings = read_settings(record, TeacherSettings if teacher else RunSettings)
    with torch.device("meta"):
        if isinstance(settings, TeacherSettings):
            return "teacher", build_teacher(settings.network, classes=len(detected_classes(record)) or 1)
        assert not isinstance(settings.recipe, NoNetwork)
        channels = read_record(record)["teacher_channels"]
        network = build_generator(settings.recipe, image_size=settings.image_size, teacher_channels=channels)
        return settings.method, network
