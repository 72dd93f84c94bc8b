"""Images are cropped and resized by the released convention."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spl.common.errors import DataError
from spl.data.images import centre_crop, resize_image, resize_mask


def test_celeba_crop_starts_at_row_20_and_column_0():
    image = np.arange(218 * 178 * 3, dtype=np.uint32).reshape(218, 178, 3)
    assert np.array_equal(centre_crop(image, 178, "a.jpg"), image[20:198])


def test_crop_larger_than_the_image_is_an_error():
    with pytest.raises(
        DataError, match=r"a\.jpg: expected at least 178 x 178 pixels for the centre crop, got 100 x 218"
    ):
        centre_crop(np.zeros((218, 100, 3), np.uint8), 178, "a.jpg")


def test_resize_is_bilinear_without_antialiasing_and_squashes():
    image = np.random.default_rng(0).integers(0, 256, (537, 936, 3), dtype=np.uint8)
    resized = resize_image(image, 256)
    assert resized.shape == (256, 256, 3)
    # Half-pixel bilinear sampling by hand, for one row of one channel.
    y = (10 + 0.5) * 537 / 256 - 0.5
    x = (np.arange(256) + 0.5) * 936 / 256 - 0.5
    y0, x0 = int(y), x.astype(int)
    top, bottom = image[y0].astype(float), image[y0 + 1].astype(float)
    row = top * (y0 + 1 - y) + bottom * (y - y0)
    expected = row[x0] * (x0 + 1 - x)[:, None] + row[x0 + 1] * (x - x0)[:, None]
    assert np.abs(resized[10] - expected).max() <= 1


@given(size=st.sampled_from([32, 64, 256]), factor=st.integers(1, 4))
def test_masks_are_resized_by_opencvs_nearest_pixel(size, factor):
    # Whole factors only: elsewhere OpenCV's own rounding of the scale moves single pixels.
    mask = np.random.default_rng(factor).random((size * factor, size * factor)) < 0.5
    expected = cv2.resize(mask.astype(np.uint8), (size, size), interpolation=cv2.INTER_NEAREST).astype(bool)
    assert np.array_equal(resize_mask(mask, size), expected)


@given(height=st.integers(20, 600), width=st.integers(20, 600))
def test_any_mask_size_becomes_square_and_stays_monotone(height, width):
    ramp = np.arange(height)[:, None] * 1000 + np.arange(width)
    resized = resize_mask(ramp, 64)
    assert resized[0, 0] == 0
    assert np.array_equal(resized[:, 0] // 1000, np.arange(64) * height // 64)
    assert np.array_equal(resized[0] % 1000, np.arange(64) * width // 64)
