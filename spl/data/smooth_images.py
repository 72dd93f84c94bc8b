"""Structure-preserving smoothing by relative total variation (RTV): texture goes, edges stay.

L. Xu, Q. Yan, Y. Xia, J. Jia, "Structure Extraction from Texture via Relative Total Variation", SIGGRAPH Asia 2012.
"""

from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.sparse import csc_array, diags_array, eye_array, kron
from scipy.sparse.linalg import splu

from spl.common.files import sha256, write_rows
from spl.common.shards import Row, Shard, resumable_folder, run_shards
from spl.data.images import decode_rgb
from spl.data.stored import PreparedImages
from spl.sources.raw_files import Place, read_place
from spl.steps.records import take, write_record
from spl.steps.settings import SmoothingSettings

SMALLEST_SCALE = 0.5
"""Pixels: the scale is halved after every iteration, down to this."""

EPSILON = 1e-3
"""Keeps u finite where the blurred gradient vanishes, for colours in [0, 1]."""


def smooth_images(settings: SmoothingSettings, images: Path, folder: Path, *, workers: int) -> None:
    """Smooth the training images of one dataset, which MFE learns structure from.

    Reads the manifest of prepared `images`; writes `folder`/train/*.png under the same names, `manifest.csv` with their
    hashes, and `record.json`.
    `folder` appears at once or not at all; a killed call goes on where it was.
    """
    inputs, prepared = take(images=images), PreparedImages(images, split="train")
    rows = ((prepared.name(i), str(root), *place) for i in range(len(prepared)) for root, place in [prepared.where(i)])
    key = settings.model_dump() | {"images": inputs["images"]["sha256"]}
    with resumable_folder(folder, key, inputs=[images]) as temporary:
        (temporary / "train").mkdir(exist_ok=True)
        work = partial(_smooth_shard, temporary, settings.structure.model_dump())
        shown = {"total": len(prepared), "what": f"smooth {settings.dataset}", "unit": "image"}
        results = run_shards(rows, work, temporary, workers=workers, **shown)
        manifest = temporary / "manifest.csv"
        write_rows(manifest, chain([("file", "sha256")], chain.from_iterable(results)))
        write_record(temporary / "record.json", settings, inputs, {"manifest": manifest}, images=len(prepared))


def _smooth_shard(folder: Path, smoothing: dict, shard: Shard) -> list[Row]:
    """Smooth prepared images into files of the same names; return these with the hashes of what was written."""
    rows = []
    for name, root, *place in shard.rows:
        smooth = smooth_structure(decode_rgb(read_place(Path(root), Place(*place)), name), **smoothing)
        Image.fromarray(smooth).save(folder / name, compress_level=1)
        rows.append((name, sha256(folder / name)))
    return rows


def smooth_structure(
    image: np.ndarray, *, strength: float, scale: float, sharpness: float, iterations: int
) -> np.ndarray:
    """Smooth away the texture finer than about `scale` pixels (sigma); keep the edges of larger things crisp.

    A larger `strength` (lambda) smooths more; a smaller `sharpness` (epsilon_s) makes the edges crisper. Each
    iteration takes weights from the last result and solves (1 + lambda L) S = image once for all channels, where
    L = Cx' Ux Wx Cx + Cy' Uy Wy Cy and Cx, Cy are the forward differences. Nothing flows across the border of the
    image, and no value leaves the range of its channel.

    Shapes: image (H, W, 3) uint8, RGB; returns (H, W, 3) uint8, rounded.
    Paper: u = G_sigma * 1 / (|G_sigma * dS| + epsilon) and w = 1 / (|dS| + epsilon_s), one pair for each direction;
    here |.| is the mean over channels, so that all channels share one system, and sigma is halved after every
    iteration. Usual values: lambda = 0.01, sigma = 3, epsilon_s = 0.02, epsilon = 0.001, 4 iterations; the authors'
    program, whose defaults these are, halves lambda first and bounds the denominators instead of adding to them.
    """
    height, width, channels = image.shape
    colours = image.reshape(-1, channels) / 255
    across = csc_array(kron(eye_array(height), _forward_difference(width)))  # Cx, (H (W - 1), H W)
    down = csc_array(kron(_forward_difference(height), eye_array(width)))  # Cy, ((H - 1) W, H W)
    identity = eye_array(height * width, format="csc")
    structure = colours
    for _ in range(iterations):
        previous = structure.reshape(image.shape)
        weights_x, weights_y = (_weights(previous, axis, scale, sharpness).ravel() for axis in (1, 0))
        laplacian = across.T @ diags_array(weights_x) @ across + down.T @ diags_array(weights_y) @ down
        system = csc_array(identity + strength * laplacian)
        # Direct, so the result is exact whatever the weights; order and panel size suit the grid of 256 x 256 pixels.
        options = {"SymmetricMode": True}
        factors = splu(system, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0, panel_size=4, options=options)
        structure = factors.solve(colours)
        scale = max(scale / 2, SMALLEST_SCALE)
    return np.rint(structure * 255).astype(np.uint8).reshape(image.shape)


def _weights(structure: np.ndarray, axis: int, scale: float, sharpness: float) -> np.ndarray:
    """Return u w for the differences along an axis, (H, W - 1) for axis 1 or (H - 1, W) for axis 0."""
    blurred = gaussian_filter(structure, (scale, scale, 0))  # mirrors the image at its border
    inherent = np.abs(np.diff(blurred, axis=axis)).mean(axis=2)
    u = gaussian_filter(1 / (inherent + EPSILON), scale)
    w = 1 / (np.abs(np.diff(structure, axis=axis)).mean(axis=2) + sharpness)
    return u * w


def _forward_difference(size: int) -> csc_array:
    """Return the (size - 1, size) matrix that takes x to x[i + 1] - x[i]."""
    return csc_array(eye_array(size - 1, size, k=1) - eye_array(size - 1, size))
