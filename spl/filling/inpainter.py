"""What fills holes, for Python: images as arrays, of Pillow, or as tensors."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
from PIL import Image

from spl.common.errors import DataError
from spl.data.classical import FILLS, classical_fill
from spl.filling.holes import Fill, advise, check_share, crop_boxes, fill_boxes, grow_hole

CONTEXT = 2.0
"""Side of a crop by that of its hole: the hole is a quarter of it, as in the masks that networks are trained with."""

CLASSICAL_SIDE = 256
"""Least side of a classical fill's crop: diffusions look `radius` pixels far, PatchMatch takes its patches there."""

AnyImage = TypeVar("AnyImage")


class Filled(NamedTuple):
    """A filled image (H, W, 3) uint8, where it was filled (H, W) bool, and clauses of advice."""

    image: np.ndarray
    hole: np.ndarray
    advice: list[str]


class Inpainter:
    """A fill for images of any size; `spl.load_inpainter` makes one."""

    def __init__(self, fill: Fill, size: int | None = None) -> None:
        self._fill, self._size = fill, size

    def fill(
        self,
        image: np.ndarray,
        hole: np.ndarray,
        *,
        context: float = CONTEXT,
        grow: int = 0,
        strategy: Literal["crop", "whole"] = "crop",
    ) -> Filled:
        """Fill the holes of an image, each in a crop around it, or all in the whole image.

        The crop's side is `context` times that of the hole, and at least that of the network's images. `grow` widens
        holes by so many pixels, in which the fill goes over into the image.
        Shapes: image (H, W, 3) uint8; hole (H, W) bool.
        Raises: DataError if the hole is none, or over 60 % of the image.
        """
        seen = None
        if grow:
            hole, seen = grow_hole(hole, grow)
        check_share(hole, "the mask", f"grown by {grow} pixels" if grow else "True, or white")
        whole = [(slice(0, hole.shape[0]), slice(0, hole.shape[1]))]
        least = self._size or CLASSICAL_SIDE
        boxes = whole if strategy == "whole" else crop_boxes(hole, least=least, context=context)
        advice = advise(hole, boxes, self._size) if self._size else []
        return Filled(fill_boxes(image, hole, self._fill, boxes, seen), hole, advice)

    def __call__(self, image: AnyImage, mask: Any, **options: Any) -> AnyImage:
        """Fill the holes of an image; return it as it came, equal outside the holes. The options are those of `fill`.

        An image is an array (H, W, 3) or (H, W) of uint8, one of Pillow's in mode RGB or L, or a tensor (3, H, W) or
        (B, 3, H, W) in [0, 1]; a mask an array, an image or a tensor of the same size, with holes True, white or 1.
        Raises: DataError for other kinds, for another size of the mask, and as `fill` does.
        """
        kind: Any = image
        if getattr(image, "ndim", 0) == 4:
            result = kind.clone()
            for i, (one, its) in enumerate(zip(kind, mask, strict=True)):
                result[i] = self(one, its, **options)
            return result
        (pixels, back), hole = _unpack(kind), _hole(mask)
        if hole.shape != pixels.shape[:2]:
            raise DataError(f"the mask has the shape {hole.shape}, the image {pixels.shape[:2]}; expected one size")
        return back(self.fill(pixels, hole, **options))


def _unpack(image: Any) -> tuple[np.ndarray, Callable[[Filled], Any]]:
    """Return the pixels (H, W, 3) uint8 of an image of any kind, and what makes that kind of a filled one."""
    if isinstance(image, Image.Image) and image.mode in ("L", "RGB"):
        return np.asarray(image.convert("RGB")), lambda filled: Image.fromarray(filled.image).convert(image.mode)
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 2:
        return np.repeat(image[..., None], 3, axis=2), lambda filled: filled.image[..., 0].copy()
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.shape[2:] == (3,):
        return image, lambda filled: filled.image
    tensor: Any = image
    if hasattr(tensor, "new_tensor") and tensor.ndim == 3 and len(tensor) == 3 and tensor.is_floating_point():

        def into(filled: Filled) -> Any:
            fresh = tensor.new_tensor(filled.image.transpose(2, 0, 1)) / 255
            return fresh.where(tensor.new_tensor(filled.hole).bool(), tensor)

        return np.ascontiguousarray((tensor * 255).round().byte().cpu().numpy().transpose(1, 2, 0)), into
    raise DataError(
        f"expected an image as uint8 array (H, W, 3) or (H, W), of Pillow in mode RGB or L, or as float tensor "
        f"(3, H, W); got {getattr(image, 'mode', getattr(image, 'dtype', type(image).__name__))} "
        f"{tuple(getattr(image, 'shape', ()))}"
    )


def _hole(mask: Any) -> np.ndarray:
    """Return a mask of any kind as (H, W) bool: half of its range or more is a hole."""
    tensor_or_array = mask.cpu() if hasattr(mask, "cpu") else mask
    values = np.asarray(mask.convert("L") if isinstance(mask, Image.Image) else tensor_or_array)
    values = values.squeeze(0) if values.ndim == 3 else values
    return values if values.dtype == bool else values > (127 if values.dtype == np.uint8 else 0.5)


def load_inpainter(source: str | Path, device: str | None = None) -> Inpainter:
    """Load what fills holes: a classical fill by its name, or a network by the folder of its finished run.

    Names are telea, navier_stokes, biharmonic and patchmatch (the extra package pypatchmatch), which need no weights,
    and miniature:DATASET/METHOD for what `make table1` has trained on drawn images.
    Raises: DataError if there is no such run; RecordError if it is none of this version.

    >>> import numpy as np
    >>> from PIL import Image
    >>> inpainter = load_inpainter("navier_stokes")
    >>> wall = Image.new("RGB", (400, 300), (200, 180, 160))
    >>> mask = np.zeros((300, 400), bool)
    >>> mask[100:140, 150:220] = True
    >>> filled = inpainter(wall, mask, grow=3)
    >>> filled.size, filled.getpixel((180, 120))
    ((400, 300), (200, 180, 160))
    """
    if source in FILLS:
        return Inpainter(partial(classical_fill, settings=FILLS[str(source)]))
    from spl.filling.networks import find_miniature, load_run, network_fill
    from spl.tensors.device import pick_device

    kind, _, run = str(source).partition(":")
    folder, where = find_miniature(run or "places2/spl") if kind == "miniature" else Path(source), pick_device(device)
    inpainter, size = load_run(folder, where)
    return Inpainter(network_fill(inpainter, size, where), size)


def inpaint(image: AnyImage, mask: Any, method: str = "telea", **options: Any) -> AnyImage:
    """Fill the holes of an image by a classical fill: telea, navier_stokes, biharmonic or patchmatch.

    Images, masks and options are those of `Inpainter`.
    Raises: DataError if an image or a mask is not as it should be, or a package is missing.

    >>> import numpy as np
    >>> image = np.tile(np.arange(200, dtype=np.uint8), (100, 1))
    >>> mask = np.zeros(image.shape, bool)
    >>> mask[40:60, 90:110] = True
    >>> filled = inpaint(image, mask, method="navier_stokes", grow=2)
    >>> filled.shape, int(abs(filled.astype(int) - image).max())
    ((100, 200), 0)
    """
    if method not in FILLS:
        raise DataError(f"no fill is called {method}; there are {', '.join(FILLS)}. For a network: spl.load_inpainter")
    return load_inpainter(method)(image, mask, **options)
