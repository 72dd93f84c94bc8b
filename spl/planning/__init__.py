"""Hours, memory and disk of an experiment before it runs."""
