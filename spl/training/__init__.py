"""One training loop; the methods say how a step is made."""
