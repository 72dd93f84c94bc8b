"""Released networks by layout: their published sizes, and the form of their files."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, get_args

from torch import Tensor, nn

from spl.config.releases import RELEASES, Release
from spl.config.teachers import ReleasedTResNet, ReleasedYOLO
from spl.models.discriminator import PatchDiscriminator
from spl.models.ec import EdgeGenerator, InpaintGenerator
from spl.models.lama import build_lama
from spl.models.mfe import build_mfe
from spl.models.migan import build_migan
from spl.models.rfr import build_rfr
from spl.models.rn import build_rn
from spl.models.spl import build_released_spl
from spl.released.layouts.discriminator import DISCRIMINATOR_RULES
from spl.released.layouts.ec import EC_RULES
from spl.released.layouts.lama import LAMA_RULES
from spl.released.layouts.mfe import DECODER_RULES, ENCODER_RULES, EQUALISATION_RULES
from spl.released.layouts.migan import MIGAN_RULES, is_fixed
from spl.released.layouts.rfr import RFR_RULES
from spl.released.layouts.rn import RN_RULES
from spl.released.layouts.spl import SPL_RULES
from spl.released.layouts.tresnet import TRESNET_RULES
from spl.released.layouts.yolov5 import YOLOV5_RULES
from spl.teachers.build import build_teacher
from spl.weights.files import State
from spl.weights.fit import Rules
from spl.weights.layouts import Layout, without_module

Build = Callable[[], nn.Module]


@dataclass(frozen=True, kw_only=True)
class Published:
    """A network in its published sizes, and the form of its authors' files."""

    release: Release
    builds: dict[str, Build]
    """By the words that tell a variant from the others."""
    rules: Rules
    use: str = ""
    """Place of the file in `params.yaml`."""
    prefix: tuple[str, str] = ("", "")
    """Regular expression of what may stand before a key, and what takes its place."""
    others: str = "$^"
    """Regular expression of the keys that do not belong to the network."""
    is_fixed: Callable[[str, Tensor], bool] = lambda key, tensor: False
    """Whether an entry is a constant of the network; with another value it does not fit."""

    def network_state(self, state: State) -> dict[str, Tensor]:
        """Return the part of a file's content that is the network's, under the keys that `rules` lead to."""
        plain = {without_module(key): tensor for key, tensor in state.items()}
        return {
            re.sub("^" + self.prefix[0], self.prefix[1], key): tensor
            for key, tensor in plain.items()
            if not re.match(self.others, key) and not self.is_fixed(key, tensor)
        }


TRAINING_MODULE = {"prefix": (r"generator\.", ""), "others": r"(discriminator|tresnet_xL_hold|adversarial_loss)\."}
"""The form of SPL's and RN's files: the authors' whole training module, or a generator alone."""


def _generator(recipe: str, builds: dict[str, Build], rules: Rules, **form: Any) -> Published:
    """Describe the released generator of a recipe, or a part of it."""
    release = RELEASES[recipe]
    path = "the folder of " + ", ".join(release.files) if release.files else "this file"
    use = f"methods.<a method with recipe: {recipe}>.weights.<dataset>: {{source: released, path: {path}}}"
    return Published(release=release, builds=builds, rules=rules, use=use, **form)


COCO_SIZES = get_args(ReleasedYOLO.model_fields["size"].annotation)
"""Of the released YOLOv5."""


def _coco_detector(size: Any) -> nn.Module:
    return build_teacher(ReleasedYOLO(kind="yolov5_released", size=size, path=""), classes=80).get_submodule("detector")


PUBLISHED = {
    Layout.SPL: _generator("spl", {"": build_released_spl}, SPL_RULES, **TRAINING_MODULE),
    Layout.RN: _generator("rn", {"": build_rn}, RN_RULES, **TRAINING_MODULE),
    Layout.DISCRIMINATOR: Published(
        release=Release("patch discriminator of SPL, RN and EdgeConnect", documented=""),
        builds={"": PatchDiscriminator, "of edges": partial(PatchDiscriminator, channels=2)},
        rules=DISCRIMINATOR_RULES,
        others=r"features\.0\.",  # the first layer, registered a second time
    ),
    Layout.RFR: _generator("rfr", {"": build_rfr, "with kernel: 5": partial(build_rfr, kernel=5)}, RFR_RULES),
    Layout.MFE_ENCODER: _generator("mfe", {"": lambda: build_mfe().encoder}, ENCODER_RULES),
    Layout.MFE_DECODER: _generator("mfe", {"": lambda: build_mfe().decoder}, DECODER_RULES),
    Layout.MFE_EQUALISATION: _generator("mfe", {"": lambda: build_mfe().equalisation}, EQUALISATION_RULES),
    Layout.EC_EDGES: _generator("ec", {"": EdgeGenerator}, EC_RULES),
    Layout.EC_INPAINTING: _generator("ec", {"": InpaintGenerator}, EC_RULES),
    Layout.LAMA: _generator(
        "lama",
        {"": build_lama, "with blocks: 18": partial(build_lama, blocks=18)},
        LAMA_RULES,
        prefix=(r"generator\.", ""),
        others=r"(val_evaluator|test_evaluator|discriminator|loss_\w+)\.",
    ),
    Layout.MIGAN: _generator(
        "migan",
        {"": build_migan, "for 512 pixels": partial(build_migan, size=512)},
        MIGAN_RULES,
        prefix=(r"encoder\.b\d+\.fromrgb\.", "from_rgb."),
        is_fixed=is_fixed,
    ),
    Layout.TRESNET: Published(
        release=Release("TResNet-L", "https://github.com/Alibaba-MIIL/ASL (model zoo, Open Images)"),
        builds={"": lambda: build_teacher(ReleasedTResNet(kind="tresnet_released", path=""))},
        rules=TRESNET_RULES,
        use="teachers.<name>: {kind: tresnet_released, path: this file}",
        others=r"(body\.layer[34]|head)\.",  # what the teacher leaves away
    ),
    Layout.YOLOV5: Published(
        release=Release(
            "YOLOv5",
            "https://github.com/ultralytics/yolov5/releases (6.0 to 7.0; their files hold a pickled network, whose "
            "unfused state_dict has to be saved with the authors' own package)",
        ),
        builds={f"with size: {size}": partial(_coco_detector, size) for size in COCO_SIZES},
        rules=YOLOV5_RULES,
        use="teachers.<name>: {kind: yolov5_released, size: as above, path: this file}",
        prefix=(r"(model\.)*", "model."),  # once as released, more or less often as wrappers have it
    ),
}
"""Every layout that can be filled or judged."""

PARTS = {
    "spl": {"": Layout.SPL},
    "rn": {"": Layout.RN},
    "rfr": {"": Layout.RFR},
    "mfe": {"encoder": Layout.MFE_ENCODER, "decoder": Layout.MFE_DECODER, "equalisation": Layout.MFE_EQUALISATION},
    "ec": {"edge_generator": Layout.EC_EDGES, "inpaint_generator": Layout.EC_INPAINTING},
    "lama": {"": Layout.LAMA},
    "migan": {"": Layout.MIGAN},
}
"""By recipe: the layout of each file in the order of `RELEASES`, by the part of the generator that it fills."""
