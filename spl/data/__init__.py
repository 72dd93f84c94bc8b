"""From raw pictures and masks to fixed image-mask pairs."""
