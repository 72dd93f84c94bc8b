"""SPL's decoder with true features in place of a prior: a bound of what any prior of that teacher can bring."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spl.config.methods import Sight, SPLRecipe
from spl.models.build import build_generator
from spl.models.initialise import initialise_default, own_generator
from spl.models.spl import SPL
from spl.steps.settings import RunSettings
from spl.teachers.build import build_teacher
from spl.teachers.frozen import FrozenTeacher, enlarge
from spl.tensors.compositing import mask_out
from spl.weights.fit import load_weights


class Oracle(nn.Module):
    """A generator that sees through the hole, so it is no method.

    Args:
        network: gives encoder and decoder; its semantic learner is not used.
        teacher: fitted; it is kept among the weights, its scale too.
        sight: what of the features inside the hole is seen.
    """

    def __init__(self, network: SPL, teacher: FrozenTeacher, sight: Sight) -> None:
        super().__init__()
        self.image_encoder, self.image_decoder = network.image_encoder, network.image_decoder
        self.teacher = teacher
        self._seen = teacher.channels // 2 if sight == "half" else teacher.channels
        mean, std = teacher.scale or (torch.zeros(1, teacher.channels, 1, 1), torch.ones(1, teacher.channels, 1, 1))
        self.register_buffer("feature_mean", mean[:, : self._seen].clone())
        self.register_buffer("feature_std", std[:, : self._seen].clone())
        self._pooled = sight == "pooled"
        channels = network.semantic_learner.get_submodule("adapter").get_parameter("weight").shape[1]
        self.read_out = nn.Sequential(nn.Conv2d(self._seen, channels, 1), nn.ReLU(), nn.Conv2d(channels, channels, 1))
        with own_generator("read_out"):
            initialise_default(self.read_out)

    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Shapes as `SPL.forward`; the second result is what the decoder is handed, (B, 4w, H/4, W/4)."""
        seen = self.read_out(self.see(image, mask))
        return self.image_decoder(self.image_encoder(mask_out(image, mask, fill=1.0), mask), seen), seen

    def see(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the features that are seen, (B, d, H/4, W/4), of `pooled` sight with their mean in all of the hole."""
        features = self.teacher.features(enlarge(image))[:, : self._seen]
        features = (features - self.get_buffer("feature_mean")) / self.get_buffer("feature_std")
        if self._pooled:
            hole = F.interpolate(mask, size=features.shape[2:])
            mean = (features * hole).sum((2, 3), keepdim=True) / hole.sum((2, 3), keepdim=True).clamp(min=1)
            features = torch.where(hole.bool(), mean, features)
        return features


def load_oracle(run: RunSettings, folder: Path) -> Oracle:
    """Build a run's oracle with its weights."""
    assert isinstance(run.recipe, SPLRecipe)
    assert run.recipe.oracle
    assert run.teacher
    teacher = build_teacher(run.teacher.network)
    network = build_generator(run.recipe, image_size=run.image_size, teacher_channels=teacher.channels)
    assert isinstance(network, SPL)
    oracle = Oracle(network, teacher, run.recipe.oracle)
    load_weights(oracle, folder / "weights.safetensors")
    return oracle
