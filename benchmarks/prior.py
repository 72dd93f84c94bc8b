"""What do semantic priors know? A linear read-out of the prior S_m, as a share of the variance of a teacher's features.

    python benchmarks/prior.py --params presets/study_1.yaml --directory study --teacher multilabel

Reads the workspace of a study (docs/study.md) and prints for every method, inside the hole and outside, how well its
prior predicts the teacher's features S of test images (1 is perfect; each read-out is fitted on training images). A
method without supervision tells what inpainting alone teaches. What true features would be worth: oracles, in stage 2.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from spl.config.load import load_params
from spl.config.methods import SPLRecipe
from spl.models.build import load_generator
from spl.models.spl import SPL
from spl.teachers.build import fit_teacher, load_teacher
from spl.teachers.frozen import FrozenTeacher, enlarge
from spl.tensors.loaders import InpaintingStream, TestPairs

FITTED = 400
"""Training samples on which read-outs are fitted."""
FIRST = 64
"""Training samples over which features are standardised."""


@torch.no_grad()
def predicted_shares(
    network: SPL, teacher: FrozenTeacher, fitted: list[Tensor], tested: list[Tensor]
) -> tuple[float, float]:
    """Return the share of the features' variance that a linear read-out of the prior predicts: in the hole, outside."""
    maps = []
    for image, mask in (fitted, tested):
        prior = torch.cat([network.semantic_prior(i, m) for i, m in zip(image.split(32), mask.split(32), strict=True)])
        features = torch.cat([teacher(enlarge(i)) for i in image.split(32)])
        hole = F.interpolate(mask, size=prior.shape[2:])[:, 0].bool()
        maps.append((prior.permute(0, 2, 3, 1).double(), features.permute(0, 2, 3, 1).double(), hole))
    inside = [(prior[hole], features[hole]) for prior, features, hole in maps]
    outside = [(prior[~hole], features[~hole]) for prior, features, hole in maps]
    return read_out(*inside), read_out(*outside)


def read_out(fitted: tuple[Tensor, Tensor], tested: tuple[Tensor, Tensor]) -> float:
    """Fit a linear map from priors to features; return the share of the variance that it predicts on others.

    Shapes: priors (cells, c), features (cells, d).
    """
    (x, y), (x_test, y_test) = fitted, tested
    x, x_test = (torch.cat([cells, torch.ones(len(cells), 1)], 1) for cells in (x, x_test))
    ridge = 1e-3 * x.square().sum(0).mean() * torch.eye(x.shape[1])
    weights = torch.linalg.solve(x.T @ x + ridge, x.T @ y)
    residual = (x_test @ weights - y_test).square().sum()
    return 1 - (residual / (y_test - y.mean(0)).square().sum()).item()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--params", type=Path, default=Path("presets/study_1.yaml"))
    parser.add_argument("--directory", type=Path, default=Path("study"), help="the workspace of the study")
    parser.add_argument("--teacher", default="multilabel")
    arguments = parser.parse_args()
    params = load_params(arguments.params)
    os.chdir(arguments.directory)
    settings, dataset = params.teachers[arguments.teacher], next(iter(params.datasets))
    size, images, masks = params.datasets[dataset].image_size, Path(f"data/prepared/{dataset}"), Path("data/masks")
    stream = InpaintingStream(
        images / "manifest.csv", masks / "masks.csv", image_size=size, batch_size=8, flip=True, seed=0, name=dataset
    )
    pairs = TestPairs(Path(f"data/pairs/{dataset}.csv"), images / "manifest.csv", masks / "masks.csv", image_size=size)
    fitted = [torch.stack(part) for part in zip(*(stream[i] for i in range(FITTED)), strict=True)]
    tested = [torch.stack(part) for part in zip(*(pairs[i] for i in range(len(pairs))), strict=True)]
    teacher = load_teacher(settings, Path(f"results/teachers/{arguments.teacher}/weights.safetensors"))
    fit_teacher(settings, teacher, lambda: fitted[0][:FIRST].split(1))
    print(f"share of the variance of {arguments.teacher}'s features, predicted from the prior: in the hole | outside")
    for method, recipe in params.methods.items():
        if not isinstance(recipe, SPLRecipe) or recipe.oracle:
            continue
        shares = []
        for record in sorted(Path(f"results/weights/{dataset}/{method}").glob("seed*/run.json")):
            network = load_generator(recipe, record.parent, image_size=size, device=torch.device("cpu")).eval()
            assert isinstance(network, SPL)
            shares.append(predicted_shares(network, teacher, fitted, tested))
        if shares:
            sides = (
                f"{np.mean(side):.2f} ({', '.join(f'{x:.2f}' for x in side)})" for side in zip(*shares, strict=True)
            )
            print(f"  {method:20s} {' | '.join(sides)}", flush=True)


if __name__ == "__main__":
    main()
