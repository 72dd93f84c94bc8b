"""Multi-label training of the teacher: asymmetric loss and the metric that judges it (Ben-Baruch et al. 2020)."""

import torch
import torch.nn.functional as F
from torch import Tensor


def asymmetric_loss(
    logits: Tensor, targets: Tensor, *, gamma_positive: float, gamma_negative: float, margin: float
) -> Tensor:
    """Down-weight easy negatives, and drop those whose probability stays below a margin.

    With p = sigmoid(logit), p_m = max(p - m, 0), every label adds

        -y (1 - p)^gamma_positive log p - (1 - y) p_m^gamma_negative log(1 - p_m)

    Shapes: logits (B, L); targets (B, L) in {0, 1}; returns (), the sum over labels and the mean over images.
    Paper: ASL Eqs. 4, 5 and 7, where the teacher uses gamma_positive 0, gamma_negative 4, margin 0.05. Both gammas and
    the margin at 0 give binary cross entropy. The gradient runs through the focusing factors too.
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    probability = torch.sigmoid(logits)
    shifted = (probability - margin).clamp(min=0)
    # 1 - p_m, written so that it keeps its digits when p is close to 1 and the margin is 0.
    log_not = torch.log1p(-shifted) if margin > 0 else F.logsigmoid(-logits)
    positive = targets * (1 - probability) ** gamma_positive * F.logsigmoid(logits)
    negative = (1 - targets) * shifted**gamma_negative * log_not
    return -(positive + negative).sum(1).mean()


def label_average_precision(scores: Tensor, targets: Tensor) -> Tensor:
    """Area under one label's precision-recall curve: the mean precision at the rank of every positive.

    Shapes: scores, targets (N,); returns (), NaN if nothing is positive. Equal scores count in their given order.
    """
    order = scores.argsort(descending=True, stable=True)
    hits = targets[order].double()
    precision = hits.cumsum(0) / torch.arange(1, len(hits) + 1, device=hits.device)
    return (precision * hits).sum() / hits.sum()


def label_mean_average_precision(scores: Tensor, targets: Tensor) -> float:
    """Average precision, averaged over the labels that occur at all.

    Shapes: scores (N, L), logits or probabilities; targets (N, L) in {0, 1}; returns a number in [0, 1].
    """
    values = torch.stack([label_average_precision(scores[:, i], targets[:, i]) for i in range(scores.shape[1])])
    return values.nanmean().item()
