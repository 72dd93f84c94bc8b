"""Raw files: drawn, downloaded or supplied, in folders or archives, listed once."""
