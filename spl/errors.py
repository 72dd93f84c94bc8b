"""Errors a user can act on: each says what was expected, what came, where, and what to do."""


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
