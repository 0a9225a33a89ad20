"""`opened`: the backend that somebody means, open for as long as it is needed."""

import contextlib
from collections.abc import Iterator

from arena_breaker_gym.rollout.backends.backend import BACKENDS, Backend
from arena_breaker_gym.rollout.backends.local import LocalBackend
from arena_breaker_gym.settings import closest


@contextlib.contextmanager
def opened(backend: Backend | str | None) -> Iterator[Backend]:
    """Opens a backend by its name and closes it again; one that is open already stays so.

    Args:
        backend: A backend, or "local" or "ray"; None: "local".

    Raises:
        ValueError: If there is no such backend.
        MissingExtraError: If Ray is not installed.
    """
    if backend is not None and not isinstance(backend, str):
        yield backend
        return
    made = make_backend(backend or "local")
    try:
        yield made
    finally:
        made.close()


def make_backend(name: str, *, address: str | None = None, workers: int | None = None) -> Backend:
    """Makes a backend, which whoever asked for it closes.

    Args:
        name: "local" or "ray".
        address: Of a Ray cluster that is there already; see `RayBackend`.
        workers: How many of Ray's workers play; see `RayBackend`.

    Raises:
        ValueError: If there is no such backend, or what is said belongs to another.
        MissingExtraError: If Ray is not installed.
    """
    if name == "ray":
        from arena_breaker_gym.rollout.backends.ray_backend import RayBackend

        return RayBackend(address=address, workers=workers)
    if name not in BACKENDS:
        raise ValueError(f"There is no backend {name!r}; {closest(name, BACKENDS)}.")
    if address is not None or workers is not None:
        raise ValueError("An address and a number of workers are for the backend 'ray' only.")
    return LocalBackend()
