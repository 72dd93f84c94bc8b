"""SPL: context-aware image inpainting with learned semantic priors (IJCAI 2021), reproduced."""

__version__ = "0.1.0"
