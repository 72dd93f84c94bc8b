"""Anchors stand where the sizes of the boxes gather."""

import numpy as np
import pytest
import torch
from scipy.cluster.vq import kmeans2

from spl.detection.anchors import fit_anchors


@pytest.fixture
def sizes():
    """Sizes of all shapes from 2 to 100 pixels, most of them small."""
    random = torch.Generator().manual_seed(0)
    return 2 + 98 * torch.rand(500, 2, generator=random) ** 2


def distortion(sizes, anchors):
    """Mean squared distance of the logarithms of sizes from those of their nearest anchor."""
    points, centres = np.log(np.asarray(sizes)), np.log(np.asarray(anchors))
    return ((points[:, None] - centres) ** 2).sum(-1).min(1).mean()


def test_gathered_sizes_are_found_smallest_area_first():
    expected = torch.tensor([[4.0, 4.0], [30.0, 3.0], [10.0, 40.0], [60.0, 50.0]])
    jitter = torch.exp(0.05 * torch.randn(40, 4, 2, generator=torch.Generator().manual_seed(0)))
    anchors = fit_anchors((expected * jitter).flatten(0, 1), count=4)
    torch.testing.assert_close(anchors, expected, rtol=0.03, atol=0)


def test_every_anchor_is_the_geometric_mean_of_its_sizes(sizes):
    anchors = fit_anchors(sizes, count=9)
    nearest = (sizes.log()[:, None] - anchors.log()).norm(dim=-1).argmin(1)
    for i, anchor in enumerate(anchors):
        torch.testing.assert_close(anchor, sizes[nearest == i].log().mean(0).exp(), rtol=1e-3, atol=0)
    assert (anchors.prod(1).diff() > 0).all()


def test_as_good_as_another_implementation(sizes):
    rivals = [kmeans2(sizes.log().numpy(), 9, seed=seed, minit="++")[0] for seed in range(10)]
    best = min(distortion(sizes, np.exp(rival)) for rival in rivals)
    one_size = distortion(sizes, sizes.log().mean(0, keepdim=True).exp())
    assert best * 0.999 <= distortion(sizes, fit_anchors(sizes, count=9)) < 1.15 * best < one_size / 3


def test_the_order_of_the_boxes_changes_nothing(sizes):
    order = torch.randperm(len(sizes), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(fit_anchors(sizes[order], count=9), fit_anchors(sizes, count=9))


@pytest.mark.parametrize("number", [4, 20])
def test_equal_sizes_give_equal_anchors(number):
    """Some clusters are empty then, however many boxes there are."""
    torch.testing.assert_close(fit_anchors(torch.full((number, 2), 8.0), count=9), torch.full((9, 2), 8.0))
