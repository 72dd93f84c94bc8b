import numpy as np
import pytest
import torch
import torch.nn.functional as F

from spl.teachers.asl import asymmetric_loss, label_average_precision, label_mean_average_precision


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 5, generator=generator, dtype=torch.float64) * 3
    return logits, (torch.rand(6, 5, generator=generator) > 0.6).double()


@pytest.mark.parametrize(("positive", "negative", "margin"), [(0, 4, 0.05), (1, 4, 0.2), (1, 2, 0)])
def test_equals_the_formula(batch, positive, negative, margin):
    logits, y = (tensor.numpy() for tensor in batch)
    p = 1 / (1 + np.exp(-logits))
    p_m = np.maximum(p - margin, 0)
    losses = -y * (1 - p) ** positive * np.log(p) - (1 - y) * p_m**negative * np.log(1 - p_m)
    actual = asymmetric_loss(*batch, gamma_positive=positive, gamma_negative=negative, margin=margin)
    assert actual.item() == pytest.approx(losses.sum() / 6)


def test_reduces_to_binary_cross_entropy(batch):
    actual = asymmetric_loss(*batch, gamma_positive=0, gamma_negative=0, margin=0)
    expected = F.binary_cross_entropy_with_logits(*batch, reduction="none").sum(1).mean()
    torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize("margin", [0, 0.05])
def test_extreme_logits_are_finite_and_have_gradients(margin):
    logits = torch.tensor([[80.0, -80.0, 80.0, -80.0]], requires_grad=True)
    loss = asymmetric_loss(
        logits, torch.tensor([[1.0, 1.0, 0.0, 0.0]]), gamma_positive=0, gamma_negative=4, margin=margin
    )
    loss.backward()
    assert loss.isfinite()
    assert logits.grad.isfinite().all()
    assert logits.grad[0, 1] < 0 < logits.grad[0, 2] or margin > 0


def test_average_precision_by_hand():
    scores, targets = torch.tensor([0.9, 0.8, 0.7, 0.6]), torch.tensor([1.0, 0.0, 1.0, 0.0])
    assert label_average_precision(scores, targets).item() == pytest.approx((1 / 1 + 2 / 3) / 2)


def test_mean_average_precision_skips_labels_without_positives():
    scores = torch.tensor([[0.9, 0.1], [0.1, 0.2]])
    assert label_mean_average_precision(scores, torch.tensor([[1.0, 0.0], [0.0, 0.0]])) == 1.0
