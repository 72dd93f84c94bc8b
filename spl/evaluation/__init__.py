"""Metrics, per-image evidence and Table 1."""
