"""What every port that reaches a disk may raise."""


class StorageUnavailable(Exception):  # noqa: N818 -- a state of the world, not a fault of the program
    """The disk is full, locked or broken just now; nothing of the call was done. The text is one line for the log."""
