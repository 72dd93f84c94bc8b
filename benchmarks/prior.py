"""What do semantic priors know, and what would a perfect one be worth?

    python benchmarks/prior.py --params presets/study.yaml --directory study

Reads a workspace in which a study has been run (presets/study.yaml) and prints two tables:

1. For every variant of SPL: how well a linear read-out of its prior S_m predicts the teacher's features S, inside the
   hole and outside, on test images (share of their variance, 1 is perfect; each read-out is fitted on training images).
   A variant without supervision tells what inpainting alone teaches.
2. An oracle: the same decoder, trained for as long, that is handed the teacher's true features of the complete image
   in place of a prior. It bounds what any prior for this teacher can bring.
"""

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spl.common.tables import read_table
from spl.config.load import load_params
from spl.config.methods import SPLRecipe
from spl.evaluation.per_image import evaluate
from spl.models.build import as_inpainter, load_generator
from spl.models.discriminator import PatchDiscriminator
from spl.models.spl import SPL, build_spl
from spl.steps.settings import RunSettings
from spl.teachers.build import load_teacher
from spl.teachers.frozen import FrozenTeacher
from spl.tensors.compositing import mask_out
from spl.tensors.loaders import InpaintingStream, TestPairs
from spl.training.distributed import World
from spl.training.loop import Plan, train
from spl.training.methods.spl import SPLMethod

FITTED = 400
"""Training samples on which read-outs are fitted."""
CPU = torch.device("cpu")


class Oracle(SPL):
    """SPL whose prior is a read-out of the teacher's true features; it sees the whole image, so it is no method."""

    def __init__(self, network: SPL, teacher: FrozenTeacher, channels: int) -> None:
        super().__init__(
            image_encoder=network.image_encoder,
            semantic_learner=nn.Sequential(
                nn.Conv2d(teacher.channels, channels, 1), nn.ReLU(), nn.Conv2d(channels, channels, 1)
            ),
            image_decoder=network.image_decoder,
        )
        self._teacher = [teacher]  # in a list: no part of the network

    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Shapes as `SPL.forward`."""
        features = self.image_encoder(mask_out(image, mask, fill=1.0), mask)
        prior = self.semantic_learner(self._teacher[0](enlarge(image)))
        return self.image_decoder(features, prior), prior


def enlarge(image: Tensor) -> Tensor:
    """Show the image as the teacher sees it."""
    return F.interpolate(image, scale_factor=2, mode="bilinear", align_corners=False)


def stream_of(run: RunSettings, seed: int) -> InpaintingStream:
    """Return a run's training samples in the order of a seed."""
    recipe = run.recipe
    assert isinstance(recipe, SPLRecipe)
    return InpaintingStream(
        Path(f"data/prepared/{run.dataset}/manifest.csv"),
        Path("data/masks/masks.csv"),
        image_size=run.image_size,
        batch_size=recipe.training.batch_size,
        flip=recipe.training.flip,
        seed=seed,
        name=run.dataset,
    )


def pairs_of(run: RunSettings) -> TestPairs:
    """Return the published pairs."""
    folder = Path(f"data/prepared/{run.dataset}")
    return TestPairs(Path(f"data/pairs/{run.dataset}.csv"), folder, Path("data/masks"), image_size=run.image_size)


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


def score_oracle(run: RunSettings, teacher: FrozenTeacher) -> dict[str, float]:
    """Train the oracle as the run's recipe says; return the means of its metrics."""
    recipe = run.recipe
    assert isinstance(recipe, SPLRecipe)
    torch.manual_seed(run.seed)
    stream, model = stream_of(run, run.seed), recipe.model
    network = build_spl(
        semantic_learner=model.semantic_learner, semantic_blocks=model.semantic_blocks, fusion=model.fusion,
        fusion_blocks=model.fusion_blocks, width=model.width, teacher_channels=1,
    )  # fmt: skip
    oracle = Oracle(network, teacher, 4 * model.width).to(memory_format=torch.channels_last).train()
    critic, training = PatchDiscriminator(width=model.width).train(), recipe.training
    method = SPLMethod(
        networks={"generator": oracle, "discriminator": critic},
        teacher=None,
        optimizers={
            "generator": torch.optim.Adam(oracle.parameters(), lr=training.lr, betas=training.betas),
            "discriminator": torch.optim.Adam(critic.parameters(), lr=training.lr_discriminator, betas=training.betas),
        },
        losses=recipe.losses.model_copy(update={"lambda_prior": 0.0}),
    )
    plan = Plan("oracle", "generator", training.batch_size, training.epochs, training.decay, training.ema)
    with tempfile.TemporaryDirectory() as folder:
        outcome = train(method, stream, plan, Path(folder), world=World(0, 1, CPU))
        assert outcome is not None
        oracle.load_state_dict(outcome.weights)
        evaluate(as_inpainter(oracle), pairs_of(run), Path(folder), batch_size=32, device=CPU)
        return read_table(Path(folder) / "per_image.csv")[["psnr", "ssim", "mae"]].mean().to_dict()


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--params", type=Path, default=Path("presets/study.yaml"))
    parser.add_argument("--directory", type=Path, default=Path("study"), help="the workspace of the study")
    parser.add_argument("--teacher", default="multilabel")
    arguments = parser.parse_args()
    params = load_params(arguments.params)
    os.chdir(arguments.directory)
    assert params.ablations is not None
    dataset, reference = params.ablations.dataset, params.ablations.reference
    run = RunSettings.of(params, dataset=dataset, method=reference)
    settings = params.teachers[arguments.teacher]
    teacher = load_teacher(settings, Path(f"results/teachers/{arguments.teacher}/weights.safetensors"))
    stream, pairs = stream_of(run, seed=0), pairs_of(run)
    fitted = [torch.stack(part) for part in zip(*(stream[i] for i in range(FITTED)), strict=True)]
    tested = [torch.stack(part) for part in zip(*(pairs[i] for i in range(len(pairs))), strict=True)]
    print(f"share of the variance of {arguments.teacher}'s features, predicted from the prior: in the hole | outside")
    for method in (reference, *params.ablations.methods):
        shares = []
        for seed in params.seeds:
            each = RunSettings.of(params, dataset=dataset, method=method, seed=seed)
            weights = Path(f"results/weights/{dataset}/{method}/seed{seed}")
            assert isinstance(each.recipe, SPLRecipe)
            network = load_generator(each.recipe, weights, image_size=each.image_size, device=CPU).eval()
            assert isinstance(network, SPL)
            shares.append(predicted_shares(network, teacher, fitted, tested))
        sides = (f"{np.mean(s):.2f} ({', '.join(f'{share:.2f}' for share in s)})" for s in zip(*shares, strict=True))
        print(f"  {method:20s} {' | '.join(sides)}", flush=True)
    scores = score_oracle(run, teacher)
    print("oracle: " + ", ".join(f"{name} {value:.4f}" for name, value in scores.items()))


if __name__ == "__main__":
    main()
