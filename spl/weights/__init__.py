"""Reading and writing weight files; a network is filled exactly or not at all."""
