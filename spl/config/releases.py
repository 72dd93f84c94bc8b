"""Weights that the authors of each method have released, and the files of a checkpoint. Imports no torch."""

from pathlib import Path
from typing import NamedTuple


class Release(NamedTuple):
    """Released weights of one method."""

    title: str
    documented: str
    """Page on which the authors say how to get them."""
    files: tuple[str, ...] = ()
    """Names inside a folder, for checkpoints of several files."""

    @property
    def layout(self) -> str:
        """Name of the layout in messages."""
        return f"the released {self.title}"


RELEASES = {
    "spl": Release("SPL", "https://github.com/WendongZh/SPL (README, Google Drive folder)"),
    "rn": Release("RN", "https://github.com/geekyutao/RN (folder pretrained_model, Places2 only)"),
    "rfr": Release("RFR", "https://github.com/jingyuanli001/RFR-Inpainting (README, Paris and CelebA only)"),
    "mfe": Release(
        "MFE",
        "https://github.com/KumapowerLIU/Rethinking-Inpainting-MEDFE (README, one folder per dataset)",
        ("EN.pkl", "DE.pkl", "MEDEF.pkl"),
    ),
    "ec": Release(
        "EdgeConnect",
        "https://github.com/knazeri/edge-connect (README, one folder per dataset)",
        ("EdgeModel_gen.pth", "InpaintingModel_gen.pth"),
    ),
    "lama": Release(
        "LaMa",
        "https://github.com/advimman/lama (README, Google Drive folder; Big LaMa also as smartywu/big-lama at "
        "huggingface.co)",
    ),
    "migan": Release("MI-GAN", "https://github.com/Picsart-AI-Research/MI-GAN (README, Google Drive folder)"),
}
"""By recipe."""


def released_files(recipe: str, path: str | Path) -> list[Path]:
    """Return the files of a released checkpoint: `path` itself, or those that a folder must hold."""
    files = RELEASES[recipe].files
    return [Path(path) / name for name in files] if files else [Path(path)]
