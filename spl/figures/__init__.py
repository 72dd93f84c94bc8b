"""Pictures made from CSV and PNG files, never from a model."""
