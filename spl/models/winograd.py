"""Fewer multiplications for filling images on a CPU: Winograd's minimal filtering (Lavin and Gray, CVPR 2016).

A tile of 4 x 4 outputs of a 3 x 3 convolution takes 36 products a pair of channels where the direct way takes 144; of a
2 x 2 convolution 25 for 64. The products of all tiles are one batched matrix product. A convolution that halves the
size, or a transposed one that doubles it, is a 2 x 2 convolution of four times as many channels in, or out. A dilated
one is a plain one on every other pixel. One of 7 x 7 is the sum of four of 4 x 4 that read neighbouring tiles, hence a
4 x 4 convolution of four times as many channels in.

What a layer returns moves by rounding, some 1e-6 of its standard deviation.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spl.models.region_norm import WideConv2d
from spl.models.rfr import PartialConv2d
from spl.models.spectral_norm import SpectralNorm

TILE = 4
POINTS = {
    2: (0, 3 / 4, -3 / 4, 3 / 2),
    3: (0, 5 / 8, -5 / 8, 3 / 2, -3 / 2),
    4: (1 / 4, -1 / 4, 7 / 8, -7 / 8, 9 / 5, -9 / 5),
    5: (0, 3 / 8, -3 / 8, 7 / 8, -7 / 8, 9 / 4, -9 / 4),
}
"""By kernel size, where the polynomials are evaluated beside infinity: of simple fractions the most accurate."""
LEAST_CHANNELS = {2: 96, 3: 96, 4: 64, 5: 64}
"""By kernel size: fewer channels of the matrix product, in or out, do not repay the transforms of the tiles."""
LEAST_TILES = 64
"""Fewer tiles in a map do not repay reading filters that are larger than the weights."""
TILES_AT_ONCE = 256
"""So many, at least, share a matrix product; more of them leave the cache."""


@torch.no_grad()
def speed_up(network: nn.Module) -> None:
    """Ready a network for nothing but filling images: channels-last and, on a CPU, with fewer multiplications.

    It enters evaluation mode; its weights must not change any more.
    """
    network.eval().to(memory_format=torch.channels_last)
    for layer in network.modules():
        if type(layer) in (nn.Conv2d, nn.ConvTranspose2d, PartialConv2d, WideConv2d, SpectralNorm):
            name = "convolve" if isinstance(layer, PartialConv2d) else "forward"
            fast = MinimalFilter(layer, getattr(layer, name))
            if fast.applies:
                setattr(layer, name, fast)


@cache
def transforms(kernel: int) -> list[Tensor]:
    """Return A, G and B: outputs = A ((G kernel) * (B tile)), all flat, with (TILE + kernel - 1)**2 products."""
    points, side = POINTS[kernel], TILE + kernel - 1
    outputs, filters, tile = np.zeros((TILE, side)), np.zeros((side, kernel)), np.zeros((side, side))
    outputs[-1, -1] = filters[-1, -1] = 1  # at infinity
    tile[-1] = np.poly(points)[::-1]
    for i, point in enumerate(points):
        others = np.delete(points, i)
        outputs[:, i] = np.power(point, range(TILE))
        filters[i] = np.power(point, range(kernel)) / np.prod(point - others)
        tile[i, :-1] = np.poly(others)[::-1]
    return [torch.from_numpy(np.kron(matrix, matrix)).float() for matrix in (outputs, filters, tile)]


class MinimalFilter:
    """Another forward pass of a convolution, which takes the layer's own where it does not pay or gradients are needed.

    It applies to 3 x 3, 5 x 5 and 7 x 7 weights with stride 1, and to 4 x 4 weights that halve or double the size.
    """

    def __init__(self, layer: Any, direct: Callable[[Tensor], Tensor]) -> None:
        self._layer, self._direct = layer, direct
        self._weight = layer.normalised_weight() if isinstance(layer, SpectralNorm) else layer.weight.detach()
        self._bias = None if layer.bias is None else layer.bias.detach()
        self._filters: Tensor | None = None
        kernel, stride, padding = self._weight.shape[2], layer.stride[0], layer.padding[0]
        resizes = (kernel, stride, padding) == (4, 2, 1)
        self._halves, self._doubles = resizes and not layer.transposed, resizes and layer.transposed
        self._more = int(kernel == 7)  # tiles that the sum reads beyond its own
        self._kernel = 2 if resizes else TILE if self._more else kernel
        self._reach = 1 if resizes else kernel - 1
        self._step = 2 if self._halves else layer.dilation[0]
        self._zoom = 2 if self._doubles else 1 if self._halves else self._step
        outputs, inputs = self._weight.shape[1::-1] if layer.transposed else self._weight.shape[:2]
        matrix = inputs * (4 if self._halves or self._more else 1), outputs * (4 if self._doubles else 1)
        fits = resizes or (kernel in (3, 5, 7) and (stride, layer.transposed) == (1, False))
        self.applies: bool = fits and min(matrix) >= LEAST_CHANNELS[self._kernel]

    def __call__(self, x: Tensor) -> Tensor:
        """Shapes: those of the layer."""
        tiles = x[0, 0].numel() // (TILE * (2 if self._halves else 1)) ** 2
        if torch.is_grad_enabled() or x.dtype != torch.float32 or x.device.type != "cpu" or tiles < LEAST_TILES:
            return self._direct(x)
        if self._filters is None:
            self._filters = self._transform()
        return self._filter(x, self._filters)

    def _transform(self) -> Tensor:
        """Return the filters (n n, channels in, channels out); resized channels in the order row, column, channel."""
        weight = self._weight
        if self._halves or self._doubles:
            weight = F.pixel_unshuffle(weight, 2).unflatten(1, (-1, 4))  # (O, I, 4, 2, 2), or (I, O, 4, 2, 2)
            if self._halves:
                weight = weight.transpose(1, 2).flatten(1, 2)  # (O, 4 I, 2, 2)
            else:
                weight = weight.permute(2, 1, 0, 3, 4).flatten(0, 1).flip(2, 3)  # (4 O, I, 2, 2)
        elif self._more:
            weight = F.pad(weight, [0, 1, 0, 1])  # (O, I, 8, 8)
            weight = weight.unflatten(3, (2, TILE)).unflatten(2, (2, TILE))  # (O, I, 2, 4, 2, 4)
            weight = weight.permute(0, 2, 4, 1, 3, 5).flatten(1, 3)  # (O, 4 I, 4, 4)
        kernels = weight.permute(2, 3, 1, 0).flatten(0, 1)  # (k k, in, out)
        return (transforms(self._kernel)[1] @ kernels.flatten(1)).view(-1, *kernels.shape[1:])

    def _filter(self, x: Tensor, filters: Tensor) -> Tensor:
        layer, step, zoom, more, side = self._layer, self._step, self._zoom, self._more, TILE + self._kernel - 1
        back, _, forth = transforms(self._kernel)
        mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
        x = F.pad(x, [layer.padding[0]] * 4, mode=mode)
        sizes = [length - step * self._reach for length in x.shape[2:]]
        rows, columns = (-(-size // (step * TILE)) for size in sizes)
        read = [step * ((tiles + more) * TILE + self._kernel - 1) for tiles in (rows, columns)]
        x = F.pad(x, [0, read[1] - x.shape[3], 0, read[0] - x.shape[2]])
        x = x.permute(0, 2, 3, 1).contiguous()  # (B, H, W, I)
        _, down, right, _ = x.stride()
        strides = (step * down, step * right, step * TILE * down, down, step * TILE * right, right, 1)
        inputs, outputs = filters.shape[1], filters.shape[2] // (4 if self._doubles else 1)
        y = x.new_empty(len(x), rows, TILE, zoom, columns, TILE, zoom, outputs)
        some = -(-TILES_AT_ONCE // (columns * (1 if self._halves else step**2)))  # rows of tiles
        # In parts of a sample: they stay in the cache, and what a sample gives does not depend on the batch.
        for sample, result in zip(x, y, strict=True):
            for row, part in zip(range(0, rows, some), result.split(some), strict=True):
                places = (side, side, len(part) + more, step, columns + more, step, x.shape[3])
                tiles = sample[row * step * TILE :].as_strided(places, strides)
                if self._halves:
                    tiles = tiles.transpose(3, 4)  # the steps become channels
                tiles = forth @ tiles.reshape(side**2, -1)
                if more:
                    tiles = tiles.view(side**2, *places[2:])
                    tiles = [tiles[:, i : i + len(part), :, j : j + columns] for i in (0, 1) for j in (0, 1)]
                    tiles = torch.cat(tiles, dim=5)  # the neighbours become channels
                products = torch.bmm(tiles.view(side**2, -1, inputs), filters)
                tiles = (back @ products.flatten(1)).view(TILE, TILE, len(part), -1, columns, zoom, outputs)
                if self._doubles:
                    tiles = tiles.view(TILE, TILE, len(part), columns, zoom, zoom, outputs).transpose(3, 4)
                tiles = tiles.permute(2, 0, 3, 4, 1, 5, 6)  # (rows, 4, zoom, columns, 4, zoom, O)
                if self._bias is None:
                    part.copy_(tiles)
                else:
                    torch.add(tiles, self._bias, out=part)
        y = y.view(len(x), rows * TILE * zoom, -1, outputs).permute(0, 3, 1, 2)
        first = 1 if self._doubles else 0
        height, width = (2 * size - 2 if self._doubles else size // 2 if self._halves else size for size in sizes)
        return y[:, :, first : first + height, first : first + width]
