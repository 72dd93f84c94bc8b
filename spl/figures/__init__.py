"""Figures made from tables, images and kept priors; Figure 2 from an untrained network. Never from weights."""

import os

# Read when matplotlib is imported, which a backend that is unknown here (a notebook's) would stop. No screen is needed.
os.environ["MPLBACKEND"] = "agg"
