"""Filling holes in images of any size and kind."""
