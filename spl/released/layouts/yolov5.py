"""YOLOv5 as its authors release it (releases 6 and 7): layers are numbered in the order of their description."""

from spl.weights.fit import Rules

BACKBONE = ("stem", "down4", "stage4", "down8", "stage8", "down16", "stage16", "down32", "stage32", "pyramid")
"""Our names of the layers 0 to 9."""

NECK_AND_HEAD = {
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
"""The released number of each further layer; the missing ones have no weights."""

YOLOV5_RULES: Rules = (
    *((rf"^backbone\.{name}\.", f"model.{number}.") for number, name in enumerate(BACKBONE)),
    *((rf"^{name}\.", f"model.{number}.") for name, number in NECK_AND_HEAD.items()),
    (r"\.(branch|squeeze|conv1)\.", ".cv1."),
    (r"\.(bypass|gather|conv2)\.", ".cv2."),
    (r"\.merge\.", ".cv3."),
    (r"\.(blocks|convs)\.", ".m."),
)
