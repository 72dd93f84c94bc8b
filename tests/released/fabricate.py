"""Released files as their authors save them, filled by this project's small networks or by any state in their keys."""

from pathlib import Path

import torch
import yaml

from spl.config.load import load_params
from spl.models.build import build_generator
from spl.models.discriminator import PatchDiscriminator
from spl.released.convert import TEACHER_CHANNELS
from spl.released.layouts.discriminator import DISCRIMINATOR_RULES
from spl.released.layouts.ec import EC_RULES
from spl.released.layouts.mfe import DECODER_RULES, ENCODER_RULES, EQUALISATION_RULES
from spl.released.layouts.rfr import RFR_RULES
from spl.released.layouts.rn import RN_RULES
from spl.released.layouts.spl import SPL_RULES
from spl.steps.settings import RunSettings
from spl.weights.fit import released_names
from tests.conftest import REPOSITORY, bare, read_raw

RECIPES = ("rn", "rfr", "mfe", "ec", "spl")
IMAGE_SIZE = 64

PARTS = {
    "spl": {"generator": ("", SPL_RULES)},
    "rn": {"generator": ("", RN_RULES)},
    "rfr": {"generator": ("", RFR_RULES)},
    "mfe": {
        "EN": ("encoder", ENCODER_RULES),
        "DE": ("decoder", DECODER_RULES),
        "MEDFE": ("equalisation", EQUALISATION_RULES),
    },
    "ec": {"edge_generator": ("edge_generator", EC_RULES), "inpaint_generator": ("inpaint_generator", EC_RULES)},
}
"""By recipe: each network of the released files, which part of our generator it is, and the rules of its keys."""

FILES = {
    "spl": {"generator": "Ours_celeba.pt"},
    "rn": {"generator": "x_admin.cluster.localRN-0.8RN-Net_bs_14_epoch_3.pth"},
    "rfr": {"generator": "checkpoint_paris.pth"},
    "mfe": {"EN": "EN.pkl", "DE": "DE.pkl", "MEDFE": "MEDEF.pkl"},
    "ec": {"edge_generator": "EdgeModel_gen.pth", "inpaint_generator": "InpaintingModel_gen.pth"},
}
"""The authors' file of each network."""

SPL_MODEL = {"semantic_learner": "dense", "fusion": "one_plus_gamma"}
MFE_MODEL = {"feature_mask": "all_valid"}
MODELS = {
    "spl": SPL_MODEL | {"semantic_blocks": 1, "fusion_blocks": 1, "width": 4},
    "rn": {"blocks": 1, "width": 4},
    "rfr": {"width": 8, "kernel": 7, "rounds": 2},
    "mfe": MFE_MODEL | {"width": 8, "blocks": 1},
    "ec": {"width": 4, "blocks": 1},
}  # fmt: skip
PUBLISHED_MODELS = {
    "spl": SPL_MODEL | {"semantic_blocks": 16, "fusion_blocks": 8, "width": 64},
    "rn": {"blocks": 8, "width": 64},
    "rfr": {"width": 64, "kernel": 7, "rounds": 6},
    "mfe": MFE_MODEL | {"width": 64, "blocks": 4},
    "ec": {"width": 64, "blocks": 8},
}  # fmt: skip

_PERCEPTUAL = {"lambda_perceptual": 0.1, "lambda_style": 100.0}
_LOSSES = {
    "spl": {
        "lambda_img": 10.0, "lambda_adv": 1.0, "lambda_prior": 1.0, "alpha": 3.0, "delta": 2.0, "discriminator": "mean",
    },
    "rn": {"lambda_img": 1.0, "lambda_adv": 0.1},
    "rfr": _PERCEPTUAL | {"lambda_valid": 1.0, "lambda_hole": 6.0, "lambda_tv": 0.1},
    "mfe": _PERCEPTUAL | {"lambda_img": 1.0, "lambda_adv": 0.2, "lambda_auxiliary": 3.0},
    "ec": _PERCEPTUAL | {
        "lambda_edge_adv": 1.0, "lambda_feature_matching": 10.0, "lambda_img": 1.0, "lambda_adv": 0.1,
    },
}  # fmt: skip
_TRAINING = {
    "batch_size": 4, "epochs": 3, "lr": 0.001, "betas": [0.0, 0.9], "decay": {"kind": "constant"}, "ema": None,
    "flip": True, "precision": "fp32", "per_dataset": {},
}  # fmt: skip
_MORE_TRAINING = {
    "spl": {"lr_discriminator": 0.001, "prior_epochs": None},
    "rn": {"lr_discriminator": 0.001},
    "rfr": {"norm_epochs": None},
    "mfe": {"lr_discriminator": 0.001},
    "ec": {"lr_discriminator": 0.001, "edge_epochs": 1, "canny_epochs": 1},
}

# Parameters ---------------------------------------------------------------------------------------


def method(recipe, *, models=MODELS, **released):
    """A method of params.yaml; `released` are paths by dataset."""
    return ({"teacher": "multilabel"} if recipe == "spl" else {}) | {
        "recipe": recipe,
        "model": models[recipe],
        "losses": _LOSSES[recipe],
        "training": _TRAINING | _MORE_TRAINING[recipe],
        "weights": {dataset: {"source": "released", "path": str(path)} for dataset, path in released.items()},
    }


def raw_params(methods, *, image_size=IMAGE_SIZE, test=1):
    """The demo's parameters with these methods on one small dataset, paris."""
    raw = bare(read_raw(REPOSITORY / "presets/demo.yaml"))
    raw["detection"] = None
    raw["datasets"] = {"paris": raw["datasets"]["paris"]}
    raw["datasets"]["paris"]["image_size"] = image_size
    raw["datasets"]["paris"]["source"] |= {"train": 1, "test": test}
    raw["masks"]["source"]["per_bin"] = 2
    raw["methods"] = methods
    raw["evaluation"]["batch_size"] = 4
    raw["evaluation"]["bootstrap"]["samples"] = 100
    raw["figures"]["examples"] = 2
    return raw


def write_params(path, methods, **sizes):
    path.write_text(yaml.safe_dump(raw_params(methods, **sizes), sort_keys=False))
    return load_params(path)


def run_of(recipe, source, folder, **changes):
    """The settings of a released run of a small method, with another model where `changes` say so."""
    methods = {recipe: method(recipe, models={recipe: MODELS[recipe] | changes})}
    params = write_params(folder / "params.yaml", methods)
    return RunSettings.of_released(params, Path(source), dataset="paris", method=recipe)


# Networks and files --------------------------------------------------------------------------------


def in_their_keys(network, rules, prefix=""):
    names = released_names(network, rules)
    return {prefix + names[name]: tensor.clone() for name, tensor in network.state_dict().items()}


def in_our_keys(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def equal(first, second):
    pairs = zip(first.state_dict().items(), second.state_dict().items(), strict=True)
    return all(name == other and torch.equal(a, b) for (name, a), (other, b) in pairs)


def small(recipe, tmp_path, seed=0, **changes):
    """A small generator of a recipe, whose values tell it from any other seed's, buffers too."""
    torch.manual_seed(seed)
    run = run_of(recipe, "nowhere", tmp_path, **changes)
    generator = build_generator(run.recipe, image_size=IMAGE_SIZE, teacher_channels=TEACHER_CHANNELS)
    for name, buffer in generator.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.uniform_(0.5, 1.5)
        elif name.endswith("num_batches_tracked"):
            buffer.fill_(1000 + seed)
    return generator


def states_of(recipe, generator):
    """What the authors' files hold of a generator: a state dict in their keys for each network."""
    return {
        network: in_their_keys(generator.get_submodule(part), rules) for network, (part, rules) in PARTS[recipe].items()
    }


def discriminator_state(width=4):
    """A patch discriminator as it is released: the first layer stands twice."""
    state = in_their_keys(PatchDiscriminator(width=width), DISCRIMINATOR_RULES)
    copies = {key.replace("conv1.0", "features.0"): tensor for key, tensor in state.items() if "conv1." in key}
    return state | copies


def adam_state():
    """The state dict of a real optimiser that has made a step."""
    parameters = [torch.nn.Parameter(torch.ones(3)), torch.nn.Parameter(torch.ones(2, 2))]
    optimizer = torch.optim.Adam(parameters, lr=2e-4)
    sum(parameter.square().sum() for parameter in parameters).backward()
    optimizer.step()
    return optimizer.state_dict()


def contents(recipe, states):
    """What `torch.save` is given for each of a recipe's files, by file name.

    SPL and RN save their whole training module under DataParallel; RFR its generator and optimiser; EdgeConnect its
    generators one by one; MFE's released files are plain state dicts.
    """
    if recipe in ("spl", "rn"):
        parts = {"generator": states["generator"], "discriminator": states.get("discriminator", discriminator_state())}
        content = {f"{part}.module.{key}": value for part, state in parts.items() for key, value in state.items()}
        content |= {
            f"adversarial_loss.{which}_label": torch.tensor(float(which == "real")) for which in ("real", "fake")
        }
        return {FILES[recipe]["generator"]: content}
    if recipe == "rfr":
        content = {"n_iter": 400000, "generator": states["generator"], "optimizer_G": adam_state()}
        return {FILES["rfr"]["generator"]: content}
    if recipe == "ec":
        return {file: {"iteration": 2000000, "generator": states[name]} for name, file in FILES["ec"].items()}
    return {file: states[name] for name, file in FILES["mfe"].items()}


def save(recipe, files, folder, *, legacy=True):
    """Write contents by file name; return what `path` in params.yaml would say.

    `legacy` is the format of the PyTorch of those days.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        torch.save(content, folder / name, _use_new_zipfile_serialization=not legacy)
    return folder / next(iter(files)) if len(FILES[recipe]) == 1 else folder


def release(recipe, generator, folder, **options):
    """Write a generator as its recipe's authors would."""
    return save(recipe, contents(recipe, states_of(recipe, generator)), folder, **options)


def wrapped(states):
    """The same states from a network that was trained under DataParallel."""
    return {name: {f"module.{key}": value for key, value in state.items()} for name, state in states.items()}


def without_values(network, rules):
    """A network's whole state in the authors' keys at no cost: each tensor is one zero, seen from everywhere."""
    names = released_names(network, rules)
    return {
        names[name]: torch.zeros((), dtype=tensor.dtype).expand(tensor.shape)
        for name, tensor in network.state_dict().items()
    }


class Trap:
    """A pickle that would leave a file behind where it is loaded carelessly."""

    def __init__(self, path, how=Path.touch):
        self.call = how, (path,)

    def __reduce__(self):
        return self.call
