"""`python -m spl`."""

import os
import sys
from pathlib import Path

# Libraries come before what lies beside the package or in the working directory, such as a yaml.py that was downloaded.
sys.path.sort(key={str(Path(__file__).parents[1]), os.getcwd()}.__contains__)

from spl.cli import main

main()
