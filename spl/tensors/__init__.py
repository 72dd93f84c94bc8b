"""Where torch begins: images and masks as tensors, sample by sample and batch by batch."""
