"""Frozen networks: teachers of the semantic prior, the detector, what perceptual losses look through."""
