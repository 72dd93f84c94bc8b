"""One module per recipe family."""
