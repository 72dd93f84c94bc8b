"""What methods are called in tables and figures."""

_METHODS = {
    "telea": "Telea",
    "navier_stokes": "Navier–Stokes",
    "biharmonic": "biharmonic",
    "mfe": "MFE",
    "rfr": "RFR",
    "rn": "RN",
    "spl": "SPL",
    "spl_released": "SPL (released)",
    "ec": "EdgeConnect",
}


def method_title(method: str) -> str:
    """Return a method's printed name; a name that is not known prints as it is."""
    return _METHODS.get(method, method)
