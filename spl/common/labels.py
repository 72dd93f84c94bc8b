"""Printed names of methods, drawn image sets and mask ratios. Those of metrics are in `spl.common.metrics`."""

_METHODS = {
    "telea": "Telea",
    "navier_stokes": "Navier–Stokes",
    "biharmonic": "biharmonic",
    "patchmatch": "PatchMatch",
    "mfe": "MFE",
    "rfr": "RFR",
    "rn": "RN",
    "ec": "EdgeConnect",
    "lama": "LaMa",
    "big_lama": "big-LaMa",
    "migan": "MI-GAN",
    "spl": "SPL",
    "spl_released": "SPL (released)",
    "spl_no_prior": "SPL w/o S",
    "spl_detector": "SPL w/ detector",
    "spl_concat": "SPL w/ concat.",
    "spl_one_plus_gamma": "SPL w/ 1 + γ",
    "spl_delta_2": "SPL w/ δ = 2",
    "spl_dense": "SPL w/ dense learner",
    "spl_random": "SPL w/ random teacher",
    "spl_imagenet": "SPL w/ ImageNet",
}

_DRAWN = {
    "places2": "scenes (Places2 layout)",
    "celeba": "faces (CelebA layout)",
    "paris": "façades (Paris layout)",
}
"""By what is drawn; the keys are the paper's names, which drawn sets keep in parameters and paths alone."""

RATIO_TITLES = {"20-40": "20–40 %", "40-60": "40–60 %", "all": "all"}


def dataset_title(dataset: str, scene: str | None) -> str:
    """Return a dataset's printed name: its key, or what is drawn if a drawn `scene` bears a name of the paper's.

    >>> dataset_title("paris", "paris"), dataset_title("paris", None), dataset_title("mine", "paris")
    ('façades (Paris layout)', 'paris', 'mine')
    """
    return _DRAWN[scene] if scene and dataset in _DRAWN else dataset


def method_title(method: str) -> str:
    """Return a method's printed name; a name that is not known prints as it is."""
    return _METHODS.get(method, method)
