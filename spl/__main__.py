"""`python -m spl`."""

from spl.cli import main

main()
