"""Weights in and out: this project's own files, and the files that the papers' authors released."""
