"""The page in which one paints a hole and fills it."""
