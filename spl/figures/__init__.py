"""Figures made from tables, images and kept priors; Figure 2 from an untrained network. Never from weights."""
