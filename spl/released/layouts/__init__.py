"""One module per released checkpoint layout: the key table and how its file is taken apart."""
