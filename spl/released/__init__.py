"""The files that authors have released: their layouts, what a file is, and how it becomes a run."""
