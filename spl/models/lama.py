"""LaMa: Resolution-robust Large Mask Inpainting with Fourier Convolutions (Suvorov et al., WACV 2022), inference only.

At an eighth of the size features are a pair: local ones, made by convolutions, and global ones, made by Fourier
transforms, which see the whole map at once. So a result depends on the size of the image around the hole.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spl.common.errors import DataError
from spl.models.initialise import initialise_default
from spl.models.layers import check_inputs, reflect_conv
from spl.models.rfr import ConvNorm
from spl.tensors.compositing import mask_out

LOCAL, GLOBAL = 128, 384
"""Channels of the pair, which are 512 with a global ratio of 0.75."""
LEAST_SIZE = 9
"""Padded to 16 it gives a map of 2 x 2 at an eighth, the least whose border can be reflected."""

Pair = tuple[Tensor, Tensor]
"""Local features (B, 128, h, w) and global features (B, 384, h, w)."""


class ConvNormReLU(ConvNorm):
    """A convolution without bias, then batch norm and ReLU."""

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (B, C, H, W); returns (B, out_channels, h, w)."""
        return F.relu(super().forward(x))


def _halving(in_channels: int, out_channels: int) -> ConvNormReLU:
    """Build a layer that halves height and width."""
    conv = nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=False, padding_mode="reflect")
    return ConvNormReLU(conv)


def _doubling(channels: int) -> list[nn.Module]:
    """Build layers that double height and width and halve the channels."""
    conv = nn.ConvTranspose2d(channels, channels // 2, 3, stride=2, padding=1, output_padding=1)
    return [conv, nn.BatchNorm2d(channels // 2), nn.ReLU()]


class FourierUnit(nn.Module):
    """A 1 x 1 convolution of the whole map's spectrum, whose real and imaginary parts are channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = ConvNormReLU(reflect_conv(2 * channels, 2 * channels, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Transform in float32 at least, and back in two steps, a complex and a real one.

        The mixed spectrum is no longer one of real numbers, and libraries differ in what its inverse in one step is. In
        two, the imaginary parts of columns 0 and w / 2 are left away after the first.
        Shapes: x (B, C, h, w); returns the same.
        """
        with torch.autocast(x.device.type, enabled=False):
            spectrum = torch.fft.rfft2(x.to(torch.promote_types(x.dtype, torch.float32)), norm="ortho")
        parts = torch.stack([spectrum.real, spectrum.imag], dim=2).flatten(1, 2)  # (B, 2C, h, w // 2 + 1)
        real, imaginary = self.mix(parts).to(parts.dtype).unflatten(1, (-1, 2)).unbind(dim=2)
        columns = torch.fft.ifft(torch.complex(real, imaginary), dim=2, norm="ortho")  # (B, C, h, w // 2 + 1)
        return torch.fft.irfft(columns, n=x.shape[3], dim=3, norm="ortho")


class SpectralTransform(nn.Module):
    """The Fourier unit between two 1 x 1 convolutions, with half as many channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = ConvNormReLU(reflect_conv(channels, channels // 2, 1, bias=False))
        self.fourier = FourierUnit(channels // 2)
        self.expand = reflect_conv(channels // 2, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Shapes: x (B, C, h, w); returns the same."""
        x = self.squeeze(x)
        return self.expand(x + self.fourier(x))


class FourierConv(nn.Module):
    """A convolution of a pair, every part from both; from global to global it is a spectral transform."""

    def __init__(self) -> None:
        super().__init__()
        self.local_to_local = reflect_conv(LOCAL, LOCAL, 3, bias=False)
        self.local_to_global = reflect_conv(LOCAL, GLOBAL, 3, bias=False)
        self.global_to_local = reflect_conv(GLOBAL, LOCAL, 3, bias=False)
        self.global_to_global = SpectralTransform(GLOBAL)
        self.norm_local = nn.BatchNorm2d(LOCAL)
        self.norm_global = nn.BatchNorm2d(GLOBAL)

    def forward(self, pair: Pair) -> Pair:
        """Return a pair of the same shapes."""
        x, y = pair
        return (
            F.relu(self.norm_local(self.local_to_local(x) + self.global_to_local(y))),
            F.relu(self.norm_global(self.local_to_global(x) + self.global_to_global(y))),
        )


class FourierBlock(nn.Module):
    """x + conv(conv(x)); the convolutions end in a ReLU, so what is added is never negative."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = FourierConv()
        self.conv2 = FourierConv()

    def forward(self, pair: Pair) -> Pair:
        """Return a pair of the same shapes."""
        local_part, global_part = self.conv2(self.conv1(pair))
        return pair[0] + local_part, pair[1] + global_part


class Split(nn.Module):
    """The last halving, which makes the pair."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.to_local = _halving(channels, LOCAL)
        self.to_global = _halving(channels, GLOBAL)

    def forward(self, x: Tensor) -> Pair:
        """Shapes: x (B, C, 2h, 2w)."""
        return self.to_local(x), self.to_global(x)


class Join(nn.Module):
    """The pair becomes one map again."""

    def forward(self, pair: Pair) -> Tensor:
        """Shapes: returns (B, 512, h, w), local channels first."""
        return torch.cat(pair, dim=1)


class LaMa(nn.Module):
    """The generator. Its layers have the numbers of the authors' files."""

    def __init__(self, *, blocks: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(3),
            ConvNormReLU(nn.Conv2d(4, 64, 7, bias=False)),  # (B, 64, H, W)
            _halving(64, 128),  # (B, 128, H/2, W/2)
            _halving(128, 256),  # (B, 256, H/4, W/4)
            Split(256),  # at H/8, W/8
            *(FourierBlock() for _ in range(blocks)),
            Join(),  # (B, 512, H/8, W/8)
            *_doubling(512),
            *_doubling(256),
            *_doubling(128),  # (B, 64, H, W)
            nn.ReflectionPad2d(3),
            nn.Conv2d(64, 3, 7),
            nn.Sigmoid(),
        )

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Fill the hole of `image`; what `image` holds there is never looked at.

        A size that is no multiple of 8 is padded to one by mirroring what lies at the bottom and at the right.
        Shapes: image (B, 3, H, W) in [0, 1]; mask (B, 1, H, W), hole wherever it is not 0; H and W at least 9.
        Returns: output (B, 3, H, W) in [0, 1], not composited.
        Raises: DataError if a shape is wrong or a side too small.
        """
        check_inputs(image, mask, multiple_of=1)
        height, width = image.shape[2:]
        if min(height, width) < LEAST_SIZE:
            raise DataError(
                f"Expected height and width of at least {LEAST_SIZE}, got {height} x {width}. Enlarge the images."
            )
        hole = (mask > 0).to(image.dtype)
        x = torch.cat([mask_out(image, hole, fill=0.0), hole], dim=1)  # (B, 4, H, W)
        for dim in (2, 3):
            missing = -x.shape[dim] % 8
            x = torch.cat([x, x.narrow(dim, x.shape[dim] - missing, missing).flip(dim)], dim=dim)
        return self.layers(x)[:, :, :height, :width]


def build_lama(*, blocks: int = 9) -> LaMa:
    """Compose a LaMa-Fourier generator of 27,048,835 parameters; `blocks=18` gives Big LaMa with 50,975,875."""
    network = LaMa(blocks=blocks)
    initialise_default(network)
    return network
