"""Losses on pixels, probabilities and feature maps. Every one is a mean over elements and returns a scalar.

Where a loss holds another mean of the batch, that is the mean over the shares of all processes.
"""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from spl.common.errors import DataError
from spl.tensors.compositing import composite
from spl.tensors.processes import mean_over_processes, process_count

Reduction = Literal["sum", "mean"]


def image_loss(output: Tensor, image: Tensor, mask: Tensor, *, delta: float) -> Tensor:
    """Compare the raw output with the image, (1 + delta) times as hard inside the hole.

    Shapes: output, image (B, 3, H, W); mask (B, 1, H, W), 1 = hole; returns ().
    Paper: Eq. 9 (delta = 5; the released code has 2).
    """
    return ((output - image).abs() * (1 + delta * mask)).mean()


def prior_loss(adapted_prior: Tensor, teacher_features: Tensor, mask: Tensor, *, alpha: float) -> Tensor:
    """Pull the adapted prior towards the teacher, (1 + alpha) times as hard inside the hole.

    Shapes: adapted_prior, teacher_features (B, d, H/4, W/4); mask (B, 1, H, W), 1 = hole; returns ().
    Paper: Eq. 5 (alpha = 3). The mask is shrunk by nearest neighbour to the size of the features (M_s).
    Raises: DataError if the two feature maps differ in shape.
    """
    if adapted_prior.shape != teacher_features.shape:
        raise DataError(
            f"Expected teacher features like the adapted prior {tuple(adapted_prior.shape)}, "
            f"got {tuple(teacher_features.shape)}. Build the generator with this teacher's channels."
        )
    small_mask = F.interpolate(mask, size=adapted_prior.shape[2:], mode="nearest")  # (B, 1, H/4, W/4)
    return ((adapted_prior - teacher_features).abs() * (1 + alpha * small_mask)).mean()


def hole_normalised_l1(output: Tensor, image: Tensor, mask: Tensor) -> Tensor:
    """Mean difference between composite and image, divided by the batch's hole ratio.

    Shapes: output, image (B, 3, H, W); mask (B, 1, H, W), 1 = hole; returns (), 0 for a batch without a hole.
    Paper: RN's reconstruction loss, as released.
    """
    difference = (image - composite(output, image, mask)).abs().mean()
    return difference / hole_ratio(mask)


def hole_ratio(mask: Tensor) -> Tensor:
    """Return the mean of the batch's masks (B, 1, H, W) as a divisor: of one pixel if there is no hole."""
    return mean_over_processes(mask.mean()).clamp(min=1 / (mask.numel() * process_count()))


def adversarial_loss(probabilities: Tensor, *, real: bool) -> Tensor:
    """Binary cross entropy against "all real" or "all generated", in full precision under autocast too.

    The generator's loss is `adversarial_loss(D(output), real=True)` = -log D (the paper's Eq. 10 has a sign slip).
    """
    with torch.autocast(probabilities.device.type, enabled=False):
        probabilities = probabilities.to(torch.promote_types(probabilities.dtype, torch.float32))
        target = torch.full_like(probabilities, float(real))
        return F.binary_cross_entropy(probabilities, target)


def discriminator_loss(loss_real: Tensor, loss_fake: Tensor, *, reduction: Reduction) -> Tensor:
    """Join the discriminator's two terms: `sum` as in Eq. 11, or `mean` as in the released code."""
    total = loss_real + loss_fake
    return total if reduction == "sum" else total / 2


def relativistic_loss(*, better: Tensor, worse: Tensor) -> Tensor:
    """Relativistic average least squares: `better` logits should lie 1 above the mean of `worse`, and vice versa.

    Shapes: (B, 1, h, w) each; returns (). Paper: MFE's adversarial loss, after Jolicoeur-Martineau 2019. The
    discriminator calls images better, the generator its output.
    """
    with torch.autocast(better.device.type, enabled=False):
        better, worse = (x.to(torch.promote_types(x.dtype, torch.float32)) for x in (better, worse))
        mean_better, mean_worse = mean_over_processes(better.mean()), mean_over_processes(worse.mean())
        return ((better - mean_worse - 1).square().mean() + (worse - mean_better + 1).square().mean()) / 2


def total_variation(image: Tensor) -> Tensor:
    """Mean absolute difference of neighbours, along rows plus along columns. Shapes: image (B, C, H, W); returns ()."""
    return image.diff(dim=2).abs().mean() + image.diff(dim=3).abs().mean()


def perceptual_loss(output: Sequence[Tensor], image: Sequence[Tensor]) -> Tensor:
    """Sum the mean absolute differences of feature maps, (B, C, h, w) each; returns ().

    Paper: Johnson et al. 2016 with L1, as RFR, MFE and EdgeConnect have it.
    """
    differences = [(ours - theirs).abs() for ours, theirs in zip(output, image, strict=True)]
    # In full precision under autocast too, like every other loss.
    return torch.stack([x.mean(dtype=torch.promote_types(x.dtype, torch.float32)) for x in differences]).sum()


def style_loss(output: Sequence[Tensor], image: Sequence[Tensor]) -> Tensor:
    """Sum the mean absolute differences of Gram matrices over feature maps, (B, C, h, w) each; returns ()."""
    return perceptual_loss([gram_matrix(ours) for ours in output], [gram_matrix(theirs) for theirs in image])


def gram_matrix(features: Tensor) -> Tensor:
    """Correlate channels. Shapes: features (B, C, h, w); returns (B, C, C), divided by C h w."""
    with torch.autocast(features.device.type, enabled=False):
        flat = features.to(torch.promote_types(features.dtype, torch.float32)).flatten(2)
        return flat @ flat.mT / (flat.shape[1] * flat.shape[2])
