"""Pretext networks whose frozen features supervise the semantic prior."""
