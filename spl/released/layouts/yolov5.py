"""YOLOv5 as its authors release it (releases 6 and 7): layers are numbered in the order of their description."""

import re
from pathlib import Path

from torch import nn

from spl.config.releases import Release
from spl.weights.files import State, read_state
from spl.weights.fit import Rules, fill_released

NUMBERS = {
    "backbone.stem": 0,
    "backbone.down4": 1,
    "backbone.stage4": 2,
    "backbone.down8": 3,
    "backbone.stage8": 4,
    "backbone.down16": 5,
    "backbone.stage16": 6,
    "backbone.down32": 7,
    "backbone.stage32": 8,
    "backbone.pyramid": 9,
    "neck.narrow32": 10,
    "neck.descend16": 13,
    "neck.narrow16": 14,
    "neck.descend8": 17,
    "neck.down8": 18,
    "neck.ascend16": 20,
    "neck.down16": 21,
    "neck.ascend32": 23,
    "head": 24,
}
"""The released number of each of our layers; the missing ones have no weights."""

YOLOV5_RULES: Rules = (
    *((rf"^{name}\.", f"model.{number}.") for name, number in NUMBERS.items()),
    (r"\.(branch|squeeze|conv1)\.", ".cv1."),
    (r"\.(bypass|gather|conv2)\.", ".cv2."),
    (r"\.merge\.", ".cv3."),
    (r"\.(blocks|convs)\.", ".m."),
)

YOLOV5 = Release(
    "YOLOv5",
    "https://github.com/ultralytics/yolov5/releases (6.0 to 7.0; their files hold a pickled network, whose unfused "
    "state_dict has to be saved with the authors' own package)",
)


def load_released_yolov5(path: str | Path, detector: nn.Module) -> None:
    """Fill a detector from the state dict of a released YOLOv5.

    Raises: CheckpointError if it is not wholly there.
    """
    fill_yolov5(detector, read_state(path), source=str(path))


def fill_yolov5(detector: nn.Module, state: State, *, source: str) -> None:
    """Fill a detector; keys may carry `model.` once, as released, or more or less often, as wrappers have it.

    Raises: CheckpointError if something is missing or left over.
    """
    fill_released(detector, with_one_prefix(state), YOLOV5_RULES, source=source, release=YOLOV5)


def with_one_prefix(state: State) -> State:
    """Put `model.` once before every key."""
    return {re.sub(r"^(model\.)*", "model.", key): tensor for key, tensor in state.items()}
