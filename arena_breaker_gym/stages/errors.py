"""`StageError`: why a stage file is refused."""

from arena_breaker_gym._runtime.json_file import FileError


class StageError(FileError):
    """A stage file cannot be used; the message says which, where in it, and what was expected."""
