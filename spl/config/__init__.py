"""The experiment: the shape of params.yaml, the registry of sources, and the door through which both are read."""
