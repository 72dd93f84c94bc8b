"""Released files as their authors save them, filled by this project's small networks or by any state in their keys."""

import sys
from collections import defaultdict
from itertools import accumulate
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import torch
import yaml

from spl.config.load import load_params
from spl.models.build import build_generator
from spl.models.discriminator import PatchDiscriminator
from spl.released.convert import TEACHER_CHANNELS
from spl.released.layouts.discriminator import DISCRIMINATOR_RULES
from spl.released.layouts.migan import MIGAN_RULES
from spl.released.published import PARTS, PUBLISHED
from spl.steps.settings import RunSettings
from spl.weights.fit import released_names
from tests.conftest import REPOSITORY, bare, read_raw

RECIPES = ("rn", "rfr", "mfe", "ec", "spl")
IMAGE_SIZE = 64

FILES = {
    "spl": {"generator": "Ours_celeba.pt"},
    "rn": {"generator": "x_admin.cluster.localRN-0.8RN-Net_bs_14_epoch_3.pth"},
    "rfr": {"generator": "checkpoint_paris.pth"},
    "mfe": {"EN": "EN.pkl", "DE": "DE.pkl", "MEDFE": "MEDEF.pkl"},
    "ec": {"edge_generator": "EdgeModel_gen.pth", "inpaint_generator": "InpaintingModel_gen.pth"},
}
"""The authors' file of each network."""

_PAPER = read_raw(REPOSITORY / "presets/paper.yaml")["methods"]
_METHODS = {recipe: _PAPER["spl_released" if recipe == "spl" else recipe] for recipe in RECIPES}
PUBLISHED_MODELS = {recipe: entry["model"] for recipe, entry in _METHODS.items()}
_SMALL = {
    "spl": {"semantic_blocks": 1, "fusion_blocks": 1, "width": 4},
    "rn": {"blocks": 1, "width": 4, "bias_std": 1.0},
    "rfr": {"width": 8, "rounds": 2},
    "mfe": {"width": 8, "blocks": 1},
    "ec": {"width": 4, "blocks": 1},
}
MODELS = {recipe: PUBLISHED_MODELS[recipe] | sizes for recipe, sizes in _SMALL.items()}

# Parameters ---------------------------------------------------------------------------------------


def method(recipe, *, models=MODELS, **released):
    """A method of params.yaml; `released` are paths by dataset."""
    weights = {dataset: {"source": "released", "path": str(path)} for dataset, path in released.items()}
    training = _METHODS[recipe]["training"] | {"per_dataset": {}}
    return _METHODS[recipe] | {"model": models[recipe], "training": training, "weights": weights}


def write_params(path, methods, *, image_size=IMAGE_SIZE, test=1):
    """Write the demo's parameters with these methods on one small dataset, paris."""
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
    path.write_text(yaml.safe_dump(raw, sort_keys=False))
    return load_params(path)


def run_of(recipe, source, folder, **changes):
    """The settings of a released run of a small method, with another model where `changes` say so."""
    methods = {recipe: method(recipe, models={recipe: MODELS[recipe] | changes})}
    params = write_params(folder / "params.yaml", methods)
    return RunSettings.of_released(params, Path(source), dataset="paris", method=recipe)


# Networks and files --------------------------------------------------------------------------------


def in_their_keys(network, rules):
    names = released_names(network, rules)
    return {names[name]: tensor.clone() for name, tensor in network.state_dict().items()}


def equal(first, second):
    """Whether two state dicts are equal, in their order too."""
    return list(first) == list(second) and all(torch.equal(first[name], second[name]) for name in first)


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
    """A generator as the authors' files hold it: a state dict in their keys for each network."""
    parts = zip(FILES[recipe], PARTS[recipe].items(), strict=True)
    return {
        network: in_their_keys(generator.get_submodule(part), PUBLISHED[layout].rules)
        for network, (part, layout) in parts
    }


def with_copies(state):
    """The state of a patch discriminator as it is released: the first layer stands twice."""
    return state | {key.replace("conv1.0", "features.0"): state[key] for key in state if "conv1." in key}


def migan_file(generator):
    """The state of a MI-GAN as it is released: with its fixed filters and the places of pixels among zeros."""
    line = torch.tensor([1.0, 3.0, 3.0, 1.0])
    smoothing = torch.outer(line, line) / 64
    state, constants = in_their_keys(generator, MIGAN_RULES), {}
    for key in ("weight", "bias"):
        state[f"encoder.b{generator.size}.fromrgb.{key}"] = state.pop(f"from_rgb.{key}")
    for r in generator.sizes[1:]:
        channels, places = generator.to_rgb[str(r)].in_channels, torch.zeros(1, 1, r, r)
        places[..., ::2, ::2] = 1
        constants[f"encoder.b{r}.conv2.downsample.filter.weight"] = smoothing.repeat(channels, 1, 1, 1)
        for name, count in ((f"synthesis.b{r}.conv1.upsample", channels), (f"synthesis.b{r}.upsample", 3)):
            constants |= {f"{name}.filter.weight": 4 * smoothing.repeat(count, 1, 1, 1), f"{name}.filter_const": places}
    return state | constants


def adam_state():
    """The state dict of a real optimiser that has made a step."""
    parameters = [torch.nn.Parameter(torch.ones(3)), torch.nn.Parameter(torch.ones(2, 2))]
    optimizer = torch.optim.Adam(parameters, lr=2e-4)
    sum(parameter.square().sum() for parameter in parameters).backward()
    optimizer.step()
    return optimizer.state_dict()


def contents(recipe, states):
    """The object that `torch.save` is given for each of a recipe's files, by file name.

    SPL and RN save their whole training module under DataParallel; RFR its generator and optimiser; EdgeConnect its
    generators one by one; MFE's released files are plain state dicts.
    """
    files = {file: states[network] for network, file in FILES[recipe].items()}
    if recipe in ("spl", "rn"):
        own = with_copies(in_their_keys(PatchDiscriminator(width=4), DISCRIMINATOR_RULES))
        parts = {"generator": states["generator"], "discriminator": states.get("discriminator", own)}
        content = {f"{part}.module.{key}": value for part, state in parts.items() for key, value in state.items()}
        labels = {f"adversarial_loss.{which}_label": torch.tensor(float(which == "real")) for which in ("real", "fake")}
        return dict.fromkeys(files, content | labels)
    if recipe == "rfr":
        return {
            file: {"n_iter": 400000, "generator": state, "optimizer_G": adam_state()} for file, state in files.items()
        }
    return (
        {file: {"iteration": 2000000, "generator": state} for file, state in files.items()} if recipe == "ec" else files
    )


def save(recipe, files, folder, *, legacy=True):
    """Write contents by file name; return what `path` in params.yaml would say.

    `legacy` is the format of the PyTorch of those days.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        torch.save(content, folder / name, _use_new_zipfile_serialization=not legacy)
    return folder / next(iter(files)) if len(FILES[recipe]) == 1 else folder


def release(recipe, generator, folder):
    """Write a generator as its recipe's authors would."""
    return save(recipe, contents(recipe, states_of(recipe, generator)), folder)


def without_values(network, rules, value=0):
    """A network's whole state in the authors' keys at no cost: each tensor is one value, seen from everywhere."""
    names = released_names(network, rules)
    return {
        names[name]: torch.full((), value, dtype=tensor.dtype).expand(tensor.shape)
        for name, tensor in network.state_dict().items()
    }


LIGHTNING = (
    "omegaconf.base.ContainerMetadata",
    "omegaconf.base.Metadata",
    "omegaconf.dictconfig.DictConfig",
    "omegaconf.listconfig.ListConfig",
    "omegaconf.nodes.AnyNode",
    "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
)
"""Classes that a Lightning checkpoint of LaMa names, of packages that are not installed here."""


def save_lightning(state, path, **more):
    """Save a state as a Lightning checkpoint of LaMa holds it, with settings and callbacks beside it."""
    modules, made = {}, {}
    for name in LIGHTNING:
        parent, _, short = name.rpartition(".")
        made[short] = type(short, (), {"__module__": parent})
        for part in accumulate(parent.split("."), "{}.{}".format):
            modules.setdefault(part, ModuleType(part))
        setattr(modules[parent], short, made[short])

    def node(kind, content):
        whole = {"ref_type": Any, "object_type": dict, "key_type": int, "resolver_cache": defaultdict(dict)}
        found = made[kind]()
        found._metadata, found._content = made["ContainerMetadata" if kind != "AnyNode" else "Metadata"](), content
        found._metadata.__dict__ |= whole if kind != "AnyNode" else {"object_type": list}
        return found

    content = {
        "epoch": 22,
        "global_step": 574999,
        "pytorch-lightning_version": "1.2.9",
        "callbacks": {made["ModelCheckpoint"]: {"monitor": "val_ssim", "best_model_score": torch.tensor(0.9)}},
        "lr_schedulers": [],
        "state_dict": state,
        "hparams_name": "config",
        "hyper_parameters": node("DictConfig", {"losses": node("ListConfig", [node("AnyNode", 10)])}),
        "hparams_type": made["DictConfig"],
    }
    with patch.dict(sys.modules, modules):
        torch.save(content | more, path)
    return path


class Trap:
    """A pickle that would leave a file behind where it is loaded carelessly."""

    def __init__(self, path, how=Path.touch):
        self.call = how, (path,)

    def __reduce__(self):
        return self.call
