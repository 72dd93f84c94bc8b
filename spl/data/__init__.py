"""From raw images and masks to fixed image-mask pairs."""
