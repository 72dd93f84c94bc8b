"""One module per released layout: the rules that lead from our names to the authors' keys."""
