"""Measuring: fills, metrics, priors, detections, costs."""
