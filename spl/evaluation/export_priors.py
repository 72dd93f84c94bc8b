"""Semantic priors of SPL or edges of EdgeConnect on test images, kept for figures."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from spl.common.errors import ParamsError
from spl.common.progress import progress
from spl.config.methods import NoNetwork
from spl.data.pair_masks import spread_over_hole_ratios
from spl.evaluation.evaluate_method import take_pairs, take_run
from spl.models.build import load_generator
from spl.models.ec import EdgeConnect
from spl.models.spl import SPL
from spl.steps.records import write_record
from spl.steps.settings import PriorSettings
from spl.tensors.compositing import quantise
from spl.tensors.loaders import TestPairs
from spl.weights.files import save_weights

BATCH = 16


def export_priors(
    settings: PriorSettings, *, pairs: Path, images: Path, masks: Path, weights: Path, out: Path, device: torch.device
) -> None:
    """Write `prior` (N, c, H/4, W/4) float16, or `edges` (N, 1, H, W) uint8, to `out`.

    The N images, whose names are in the record, are spread equally over the ranks of their first masks' hole ratio.
    Raises: ParamsError if the method is neither SPL nor EdgeConnect; RecordError if its weights are not current.
    """
    run = settings.run
    torch.set_num_threads(settings.threads)
    inputs = take_pairs(pairs, images, masks)
    assert not isinstance(run.recipe, NoNetwork)
    inputs |= take_run(run, weights, inputs)
    network = load_generator(run.recipe, weights, image_size=run.image_size, device=device).eval()
    test_pairs = TestPairs(pairs, images, masks, image_size=run.image_size)
    hole_ratios = test_pairs.table.drop_duplicates("image")["hole_ratio"].to_numpy()
    rows = sorted(spread_over_hole_ratios(hole_ratios, settings.images))
    loader = DataLoader(Subset(test_pairs, rows), batch_size=BATCH)
    kept = [
        _prior_or_edges(network, image.to(device), mask.to(device)).cpu()
        for image, mask in progress(loader, what="priors", unit="batch")
    ]
    save_weights({"prior" if isinstance(network, SPL) else "edges": torch.cat(kept)}, out)
    names = test_pairs.table["image"].iloc[rows].tolist()
    write_record(out.with_suffix(".json"), settings, inputs, {"priors": out}, images=names, device=str(device))


@torch.no_grad()
def _prior_or_edges(network: nn.Module, image: Tensor, mask: Tensor) -> Tensor:
    if isinstance(network, SPL):
        return network.semantic_prior(image, mask).half()
    if isinstance(network, EdgeConnect):
        return quantise(network.edges(image, mask))
    raise ParamsError("only methods with the recipe spl or ec have something to keep: semantic priors or edges")
