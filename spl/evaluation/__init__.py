"""Measurements: fills, metrics, priors, detections, costs."""
