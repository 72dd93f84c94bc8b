"""Errors a user can act on: each says what was expected, what came, where, and what to do."""

import errno
from pathlib import Path


class SPLError(Exception):
    """Base of every error this package raises on purpose; the command line prints it without a traceback."""


class ParamsError(SPLError):
    """`params.yaml` does not describe a valid experiment."""


class DataError(SPLError):
    """An image, a mask, a table or a folder is not what it has to be."""


class CheckpointError(SPLError):
    """A weights or checkpoint file does not fit the network or the settings."""


class RecordError(SPLError):
    """A result on disk was made with other settings or inputs than the current ones."""


class TrainingError(SPLError):
    """Training cannot go on (a loss is not finite, another process holds the run)."""


def again(*files: str | Path) -> str:
    """Return the command that makes files again though Snakemake believes them up to date."""
    names = " ".join(map(str, files))
    return f"snakemake --cores all --forcerun {names} -- {names}"


FULL = "Make room, then run the same command: what is finished is kept."
FORBIDDEN = "Give yourself the right to write there, or work in another folder."
IN_THE_WAY = "A file is where a folder has to be, or a folder where a file has to be. Name another path."

ADVICE = dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), FULL)
ADVICE |= dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), FORBIDDEN)
ADVICE |= dict.fromkeys((errno.ENOTDIR, errno.EISDIR, errno.EEXIST), IN_THE_WAY)


def advise(error: OSError) -> str:
    """Say what to do about an error of the system; empty where there is nothing to say."""
    return ADVICE.get(error.errno or 0, "")
