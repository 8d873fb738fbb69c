"""The one exception for what a user can put right.

Its message names the thing that is wrong (file, key, number) and what to do about it. The command line prints the
message and no traceback; every other exception is a defect of scalepose.
"""


class ScaleposeError(ValueError):
    """Something given from outside (a file, an option, a checkpoint) cannot be used; the message says why."""


class MissingExtra(ScaleposeError, ImportError):
    """A part of scalepose was asked for whose optional dependencies are not installed."""

    def __init__(self, module: str, extra: str):
        super().__init__(f"{module} is not installed; run: pip install 'scalepose[{extra}]'")
