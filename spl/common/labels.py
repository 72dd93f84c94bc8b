"""Printed names of methods and mask ratios. Those of metrics are in `spl.common.metrics`."""

_METHODS = {
    "telea": "Telea",
    "navier_stokes": "Navier–Stokes",
    "biharmonic": "biharmonic",
    "mfe": "MFE",
    "rfr": "RFR",
    "rn": "RN",
    "ec": "EdgeConnect",
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

RATIO_TITLES = {"20-40": "20–40 %", "40-60": "40–60 %", "all": "all"}


def method_title(method: str) -> str:
    """Return a method's printed name; a name that is not known prints as it is."""
    return _METHODS.get(method, method)
