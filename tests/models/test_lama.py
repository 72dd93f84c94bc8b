import numpy as np
import pytest
import torch

from spl.models.lama import FourierBlock, FourierUnit, build_lama


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return build_lama(blocks=1).eval()


def waves(frequencies, length):
    """The orthonormal waves of some frequencies, a row each: exp(2 pi i f x / length)."""
    return np.exp(2j * np.pi * np.outer(frequencies, range(length)) / length) / np.sqrt(length)


@pytest.mark.parametrize(("height", "width"), [(4, 6), (5, 7), (2, 2)])
def test_the_fourier_unit_is_its_formula(height, width):
    unit, x = FourierUnit(3).eval(), torch.randn(1, 3, height, width)
    rows, columns = waves(range(height), height), waves(range(width // 2 + 1), width)
    spectrum = rows.conj() @ x[0].double().numpy() @ columns.conj().T  # (3, h, w // 2 + 1)
    parts = np.stack([spectrum.real, spectrum.imag], axis=1).reshape(6, height, -1)  # channel by channel
    weight = unit.mix.conv.weight.detach().double().numpy()[:, :, 0, 0]
    mixed = np.maximum(np.einsum("oi,ihw->ohw", weight, parts) / np.sqrt(1 + 1e-5), 0)  # a fresh norm
    spectrum = rows.T @ (mixed[0::2] + 1j * mixed[1::2])
    twins = [1 if k in (0, width / 2) else 2 for k in range(width // 2 + 1)]  # of a frequency and its negative
    ours = unit(x)[0].detach().numpy()
    np.testing.assert_allclose(ours, ((spectrum * twins) @ columns).real, atol=1e-5)


def test_the_fourier_unit_computes_in_float32_where_the_rest_does_not():
    unit, x = FourierUnit(3).eval(), torch.randn(1, 3, 6, 6)
    with torch.autocast("cpu", torch.bfloat16):
        output = unit(x.bfloat16())
    assert output.dtype == torch.float32
    torch.testing.assert_close(output, unit(x), atol=0.1, rtol=0.1)


def test_a_block_never_lowers_a_feature():
    pair = torch.randn(1, 128, 4, 4), torch.randn(1, 384, 4, 4)
    for before, after in zip(pair, FourierBlock().eval()(pair), strict=True):
        assert (after >= before).all()
        assert (after > before).any()


@torch.no_grad()
@pytest.mark.parametrize(("height", "width"), [(9, 17), (24, 31), (33, 16)])
def test_other_sizes_are_mirrored_to_a_multiple_of_8_and_cut_back(network, height, width):
    image, mask = torch.rand(1, 3, height, width), (torch.rand(1, 1, height, width) < 0.3).float()
    margins = ((0, 0), (0, 0), (0, -height % 8), (0, -width % 8))
    padded = [torch.from_numpy(np.pad(known.numpy(), margins, mode="symmetric")) for known in (image, mask)]
    output = network(image, mask)
    assert output.shape == image.shape
    assert torch.equal(output, network(*padded)[:, :, :height, :width])


@torch.no_grad()
def test_whatever_is_not_black_in_a_mask_is_a_hole(network, image, mask):
    assert torch.equal(network(image, mask * 0.01), network(image, mask))


@torch.no_grad()
def test_the_whole_image_is_seen_from_everywhere(network, image):
    mask = torch.zeros(3, 1, 32, 32)
    mask[:, :, :4, :4] = 1
    changed = image.clone()
    changed[:, :, 28:, 28:] = 1 - changed[:, :, 28:, 28:]
    assert not torch.equal(network(image, mask)[..., :4, :4], network(changed, mask)[..., :4, :4])
