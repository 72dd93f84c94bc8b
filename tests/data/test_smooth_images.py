"""RTV smoothing takes texture away, keeps edges, and solves the equations it says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from spl.data.smooth_images import smooth_structure

PUBLISHED = {"strength": 0.01, "scale": 3.0, "sharpness": 0.02, "iterations": 4}
FINE = {"strength": 0.003, "scale": 1.0, "sharpness": 0.02, "iterations": 4}
both = pytest.mark.parametrize("parameters", [PUBLISHED, FINE])


def noise(height, width, low=0, high=255, seed=0):
    return np.random.default_rng(seed).integers(low, high, (height, width, 3), dtype=np.uint8, endpoint=True)


@both
@pytest.mark.parametrize("kind", ["checkerboard", "noise"])
def test_texture_goes_while_the_step_across_it_stays(kind, parameters):
    height = width = 48
    texture = np.indices((height, width)).sum(axis=0) % 2 * 20 - 10
    if kind == "noise":
        texture = np.random.default_rng(0).integers(-15, 16, (height, width))
    step = np.where(np.arange(width) < width // 2, 60, 180)
    image = np.repeat((step + texture)[:, :, None], 3, axis=2).astype(np.uint8)
    smooth = smooth_structure(image, **parameters).astype(float)
    for side in (slice(0, width // 2), slice(width // 2, width)):
        assert smooth[:, side].var() < 0.05 * image[:, side].astype(float).var()
    # The whole height lies between the two columns that it lies between in the input.
    jumps = np.diff(smooth.mean(axis=(0, 2)))
    assert jumps.argmax() == width // 2 - 1
    assert jumps.max() > 0.9 * 120


def dense_smoothing(image, strength, scale, sharpness, iterations):
    """The algorithm pixel by pixel with a full matrix; returns (H, W, 3) float in [0, 255]."""
    height, width, _ = image.shape
    index = np.arange(height * width).reshape(height, width)
    colours = structure = image.astype(float) / 255
    for _ in range(iterations):
        blurred = np.stack([gaussian_filter(structure[..., c], scale, mode="reflect") for c in range(3)], axis=2)
        system = np.eye(height * width)
        for down, right in ((0, 1), (1, 0)):
            pairs = [((y, x), (y + down, x + right)) for y in range(height - down) for x in range(width - right)]
            inverse = np.reshape(
                [1 / (np.abs(blurred[q] - blurred[p]).mean() + 0.001) for p, q in pairs],
                (height - down, width - right),
            )
            u = gaussian_filter(inverse, scale, mode="reflect")
            for p, q in pairs:
                weight = strength * u[p] / (np.abs(structure[q] - structure[p]).mean() + sharpness)
                system[index[p], index[p]] += weight
                system[index[q], index[q]] += weight
                system[index[p], index[q]] -= weight
                system[index[q], index[p]] -= weight
        structure = np.linalg.solve(system, colours.reshape(-1, 3)).reshape(image.shape)
        scale = max(scale / 2, 0.5)
    return structure * 255


@both
@pytest.mark.parametrize("shape", [(12, 9), (1, 7), (7, 1), (1, 1)])
def test_the_result_solves_the_system_of_every_iteration(shape, parameters):
    image = noise(*shape)
    expected = dense_smoothing(image, **parameters)
    assert np.abs(smooth_structure(image, **parameters) - expected).max() <= 0.5 + 1e-6  # rounded to whole levels


@both
def test_the_transposed_image_gives_the_transposed_result(parameters):
    image = noise(17, 23, low=90, high=140)
    transposed = smooth_structure(image.transpose(1, 0, 2).copy(), **parameters)
    assert np.array_equal(transposed.transpose(1, 0, 2), smooth_structure(image, **parameters))


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 999),
    size=st.tuples(st.integers(2, 12), st.integers(2, 12)),
    ends=st.tuples(st.integers(0, 255), st.integers(0, 255)).map(sorted),
    strength=st.floats(1e-4, 1),
    scale=st.floats(0.5, 6),
    sharpness=st.floats(1e-3, 0.1),
)
def test_values_stay_within_the_range_of_their_channel(seed, size, ends, strength, scale, sharpness):
    image = noise(*size, *ends, seed=seed)
    smooth = smooth_structure(image, strength=strength, scale=scale, sharpness=sharpness, iterations=2)
    assert (smooth >= image.min(axis=(0, 1))).all()
    assert (smooth <= image.max(axis=(0, 1))).all()


def test_nothing_flows_across_the_border():
    image = noise(24, 24)
    smooth = smooth_structure(image, **PUBLISHED)
    assert np.abs(smooth.mean(axis=(0, 1)) - image.mean(axis=(0, 1))).max() < 0.1


def test_channels_share_the_weights():
    # With the same matrix for all channels, a channel that is the mean of two others stays their mean.
    image = noise(16, 16) // 2 * 2
    image[..., 2] = image[..., :2].astype(int).sum(axis=2) // 2
    smooth = smooth_structure(image, **PUBLISHED).astype(float)
    assert np.abs(smooth[..., 2] - smooth[..., :2].mean(axis=2)).max() <= 1
