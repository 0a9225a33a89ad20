"""`opened`: the engine that somebody means, open for as long as it is needed."""

import contextlib
from collections.abc import Iterator

from arena_breaker_gym.rollout.engines.engine import ENGINES, Engine
from arena_breaker_gym.rollout.engines.local import LocalEngine
from arena_breaker_gym.settings import closest


@contextlib.contextmanager
def opened(engine: Engine | str | None) -> Iterator[Engine]:
    """Opens an engine by its name and closes it again; one that is open already stays so.

    Args:
        engine: An engine, or "local" or "ray"; None: "local".

    Raises:
        ValueError: If there is no such engine.
        MissingExtraError: If Ray is not installed.
    """
    if engine is not None and not isinstance(engine, str):
        yield engine
        return
    made = make_engine(engine or "local")
    try:
        yield made
    finally:
        made.close()


def make_engine(name: str, *, address: str | None = None, workers: int | None = None) -> Engine:
    """Makes an engine, which whoever asked for it closes.

    Args:
        name: "local" or "ray".
        address: Of a Ray cluster that is there already; see `RayEngine`.
        workers: How many of Ray's workers play; see `RayEngine`.

    Raises:
        ValueError: If there is no such engine, or what is said belongs to another.
        MissingExtraError: If Ray is not installed.
    """
    if name == "ray":
        from arena_breaker_gym.rollout.engines.ray_engine import RayEngine

        return RayEngine(address=address, workers=workers)
    if name not in ENGINES:
        raise ValueError(f"There is no engine {name!r}; {closest(name, ENGINES)}.")
    if address is not None or workers is not None:
        raise ValueError("An address and a number of workers are for the engine 'ray' only.")
    return LocalEngine()
