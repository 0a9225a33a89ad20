"""`StageError`: why a stage file is refused."""

from arena_breaker_gym.faults import FileError


class StageError(FileError):
    """A stage file cannot be used; the message says which, where in it, and what was expected."""
