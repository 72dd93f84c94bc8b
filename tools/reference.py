"""Keep the numbers of results/ in docs/reference/, and how far those of other runs are from them.

    make reference                                        tables, and what made them
    make reference WITH="../two_threads/results ..."      and the spread: the differences of these runs

An other run is the default with another value of `threads` or `seeds`, or on another machine. Without one the measured
spread stays as it is: measure it again when the default has changed.
"""

import sys
from pathlib import Path

from spl.analysis.reference import write_reference
from spl.steps.paths import REFERENCE, RESULTS

if __name__ == "__main__":
    write_reference(RESULTS, [Path(name) for name in sys.argv[1:]], REFERENCE)
