"""Layouts of weight files: what the keys of a file look like."""

import re
from collections.abc import Iterable
from enum import Enum


class Layout(Enum):
    """A layout: its title, and a regular expression that one of its keys matches, but none of an earlier layout's."""

    SPL = "the released SPL", r"^(generator\.)?encoder_conv1_sm\."
    RN = "the released RN", r"^(generator\.)?middle\.\d+\.conv_block\.2\.sa\."
    DISCRIMINATOR = "the released patch discriminator of SPL, RN and EdgeConnect", r"^conv5\.0\.weight_orig"
    RFR = "the released RFR", r"^Pconv1\."
    MFE_ENCODER = "the released MFE encoder (EN)", r"^Encoder_1\.model\."
    MFE_DECODER = "the released MFE decoder (DE)", r"^Decoder_1\.model\."
    MFE_EQUALISATION = "the released MFE equalisation (MEDFE)", r"^pc_block\."
    EC_EDGES = "the released EdgeConnect edge generator", r"^encoder\.1\.weight_orig"
    EC_INPAINTING = "the released EdgeConnect inpainting generator", r"^encoder\.1\.weight"
    LAMA = "the released LaMa", r"^(generator\.)?model\.5\.conv1\.ffc\."
    MIGAN = "the released MI-GAN", r"^encoder\.b4\.conv1\."
    TRESNET = "a TResNet in its authors' layout", r"^body\.conv1\.0\."
    TIMM_TRESNET = "a TResNet in timm's layout", r"^body\.conv1\.conv\."
    YOLOV5 = "YOLOv5 in its authors' layout", r"^(model\.)*24\.m\.0\."
    OWN_SPL = "this project's SPL", r"^semantic_learner\."
    OWN_RN = "this project's RN", r"^blocks\.0\.norm1\.region_conv\."
    OWN_RFR = "this project's RFR", r"^reasoning\."
    OWN_MFE = "this project's MFE", r"^equalisation\."
    OWN_EC = "this project's EdgeConnect", r"^edge_generator\."
    OWN_LAMA = "this project's LaMa", r"^layers\.5\.conv1\.local_to_local\."
    OWN_MIGAN = "this project's MI-GAN", r"^encode\.4\.depthwise\."
    OWN_TRESNET = "this project's TResNet teacher", r"^trunk\.conv1\."
    OWN_YOLOV5 = "this project's YOLOv5 teacher", r"^detector\.backbone\."
    UNKNOWN = "nothing known here", ""

    def __init__(self, title: str, signature: str) -> None:
        self.title = title
        self.signature = signature


def recognise(keys: Iterable[str]) -> Layout:
    """Return the layout that a file's keys look like."""
    plain = [without_module(key) for key in keys]
    matching = (layout for layout in Layout if any(re.search(layout.signature, key) for key in plain))
    return next(matching, Layout.UNKNOWN)


def without_module(key: str) -> str:
    """Remove what DataParallel and DistributedDataParallel add to a key."""
    return re.sub(r"(^|\.)module\.", r"\1", key)
