"""Images and masks as tensors, sample by sample and batch by batch."""
