"""Hours, memory and disk of an experiment before it runs; the runs of a study that are left, and its contrasts."""
