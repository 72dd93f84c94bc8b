"""What fills holes, for Python: images as arrays, of Pillow, or as tensors."""

from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from PIL import Image

from spl.common.errors import DataError
from spl.data.classical import FILLS, classical_fill
from spl.filling.holes import Fill, advise, check_share, crop_boxes, fill_boxes, grow_hole
from spl.filling.pretrained import Consent

CONTEXT = 2.0
"""Side of a crop by that of its hole: the hole is a quarter of it, as in the masks that networks are trained with."""

CLASSICAL_SIDE = 256
"""Least side of a classical fill's crop: diffusions look `radius` pixels far, PatchMatch takes its patches there."""


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
        least = max(hole.shape) if strategy == "whole" else self._size or CLASSICAL_SIDE
        boxes = crop_boxes(hole, least=least, context=context)
        advice = advise(hole, boxes, self._size) if self._size else []
        return Filled(fill_boxes(image, hole, self._fill, boxes, seen), hole, advice)

    def __call__(self, image: Any, mask: Any, **options: Any) -> Any:
        """Fill the holes of an image; return it as it came, equal outside the holes. The options are those of `fill`.

        An image is an array (H, W, 3) or (H, W) of uint8, one of Pillow's in mode RGB or L, or a tensor (3, H, W) or
        (B, 3, H, W) in [0, 1]; a mask an array, an image or a tensor of the same size, with holes True, white or 1.
        Raises: DataError for other kinds, for another size of the mask, and as `fill` does.
        """
        if hasattr(image, "new_tensor"):
            return self._fill_tensor(image, mask, options)
        values = np.asarray(image)
        if values.dtype != np.uint8 or values.shape[2:] not in ((), (3,)) or getattr(image, "mode", "L") == "P":
            raise DataError(
                f"expected an image as uint8 array (H, W, 3) or (H, W), of Pillow in mode RGB or L, or float tensor; "
                f"got {getattr(image, 'mode', values.dtype)} {values.shape}"
            )
        pixels = values if values.ndim == 3 else np.repeat(values[..., None], 3, axis=2)
        filled = self.fill(pixels, _hole(mask, pixels), **options).image
        filled = filled if values.ndim == 3 else filled[..., 0].copy()
        return Image.fromarray(filled) if isinstance(image, Image.Image) else filled

    def _fill_tensor(self, image: Any, mask: Any, options: dict[str, Any]) -> Any:
        """Fill a tensor (3, H, W) or (B, 3, H, W) as one; other pixels keep values between two of 8 bits."""
        if image.ndim == 4:
            result = image.clone()
            for i in range(len(image)):
                result[i] = self._fill_tensor(image[i], mask[i], options)
            return result
        pixels = np.ascontiguousarray((image * 255).round().byte().cpu().numpy().transpose(1, 2, 0))
        filled = self.fill(pixels, _hole(mask, pixels), **options)
        fresh = image.new_tensor(filled.image.transpose(2, 0, 1)) / 255
        return fresh.where(image.new_tensor(filled.hole).bool(), image)


def _hole(mask: Any, pixels: np.ndarray) -> np.ndarray:
    """Return a mask of any kind as (H, W) bool: half of its range or more is a hole."""
    on_cpu = mask.cpu() if hasattr(mask, "cpu") else mask
    values = np.asarray(mask.convert("L") if isinstance(mask, Image.Image) else on_cpu)
    values = values.squeeze(0) if values.ndim == 3 else values
    if values.shape != pixels.shape[:2]:
        raise DataError(f"the mask has the shape {values.shape}, the image {pixels.shape[:2]}; expected one size")
    return values.astype(float) > (127 if values.dtype == np.uint8 else 0.5)


def load_inpainter(source: str | Path, device: str | None = None, *, fetch: Consent = False) -> Inpainter:
    """Load what fills holes: a classical fill by its name, or a network by the folder of its finished run.

    A network may also be a file that `spl export onnx` has written, which is run without torch, on the CPU.

    Names are telea, navier_stokes, biharmonic and patchmatch (the extra package pypatchmatch), which need no weights;
    big-lama and migan for what their authors have trained on photographs, which `fetch` allows to download once; and
    miniature:DATASET/METHOD for what `make table1` has trained on drawn images.
    Raises: DataError if there is no such run, or a released file is missing; RecordError if it is none of this version.

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
    if Path(source).suffix == ".onnx":
        from spl.filling.onnx import load_exported

        if device not in (None, "cpu"):
            raise DataError(f"{source} is run on the CPU, not on {device}. Leave the device out.")
        return Inpainter(*load_exported(Path(source)))
    from spl.filling.networks import find_run, load_run, network_fill
    from spl.tensors.device import pick_device

    where = pick_device(device)
    inpainter, size = load_run(find_run(source, fetch), where)
    return Inpainter(network_fill(inpainter, size, where), size)


def inpaint(image: Any, mask: Any, method: str = "telea", *, fetch: bool = False, **options: Any) -> Any:
    """Fill the holes of an image by telea, navier_stokes, biharmonic, patchmatch, or what else `load_inpainter` takes.

    Images, masks and options (`context`, `grow`, `strategy`) are those of `Inpainter`.
    Raises: DataError if an image or a mask is not as it should be, or a package is missing.

    >>> import numpy as np
    >>> image = np.tile(np.arange(200, dtype=np.uint8), (100, 1))
    >>> mask = np.zeros(image.shape, bool)
    >>> mask[40:60, 90:110] = True
    >>> filled = inpaint(image, mask, method="navier_stokes", grow=2)
    >>> filled.shape, int(abs(filled.astype(int) - image).max())
    ((100, 200), 0)
    """
    return load_inpainter(method, fetch=fetch)(image, mask, **options)
