"""What may lie between arenas and a policy: a stack of frames, a normalisation; NumPy alone.

`layers_of` reads them off the wrappers of a `VecEnv` that was trained in; `FrameStack` and
`Normalisation` do the same to what an agent is shown. VecMonitor and VecTransposeImage change
nothing that a policy would not do by itself.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym._runtime.extras import require
from arena_breaker_gym._runtime.plain import plain_float, plain_int

Shown = Any  # (n, ...), or a dict of such
Tensors = dict[str, NDArray[Any]]

_LONGEST_STACK = 16
_ALL = ""  # stands for the key of an observation that is one array


class StoredLayer(Protocol):
    """Changes what n arenas show before a policy sees it."""

    def reset(self, arenas: Sequence[int]) -> None:
        """An episode begins in these arenas."""

    def __call__(self, shown: Shown, arenas: Sequence[int]) -> Shown:
        """What the policy sees, rows in the order of `arenas`."""


class FrameStack:
    """The last few observations side by side on the last axis, zeros before the first."""

    def __init__(self, frames: int) -> None:
        """Makes one that has seen nothing.

        Args:
            frames: How many observations it shows.

        Raises:
            ValueError: If that is no number from 2 to 16.
        """
        self.frames = plain_int("frames", frames, least=2, most=_LONGEST_STACK)
        self._seen: dict[int, Mapping[str, NDArray[Any]]] = {}

    def reset(self, arenas: Sequence[int]) -> None:
        """Forgets what these arenas showed."""
        for arena in arenas:
            self._seen.pop(arena, None)

    def __call__(self, shown: Shown, arenas: Sequence[int]) -> Shown:
        """Adds what is shown now and gives all that is remembered."""
        tables = _by_key(shown)
        for row, arena in enumerate(arenas):
            self._seen[arena] = {
                key: self._moved(table[row], self._seen.get(arena, {}).get(key))
                for key, table in tables.items()
            }
        stacked = {key: np.stack([self._seen[arena][key] for arena in arenas]) for key in tables}
        return _like(shown, stacked)

    def _moved(self, newest: NDArray[Any], before: NDArray[Any] | None) -> NDArray[Any]:
        width = newest.shape[-1]
        if before is None:
            before = np.zeros((*newest.shape[:-1], width * self.frames), newest.dtype)
        return np.concatenate([before[..., width:], newest], axis=-1)


class Normalisation:
    """Takes a mean away, divides by a deviation, and clips; learns nothing more."""

    def __init__(self, tensors: Mapping[str, NDArray[Any]], *, clip: float, epsilon: float) -> None:
        """Makes one.

        Args:
            tensors: "mean" and "var", or "mean.KEY" and "var.KEY" for each table that is changed.
            clip: The largest number that comes out.
            epsilon: Is added to the variance.
        """
        self._tensors = dict(tensors)
        self._clip = plain_float("clip", clip)
        self._epsilon = plain_float("epsilon", epsilon)

    def reset(self, arenas: Sequence[int]) -> None:
        """Remembers nothing of any arena."""

    def __call__(self, shown: Shown, arenas: Sequence[int]) -> Shown:
        """What is shown, normalised."""
        return _like(shown, {key: self._one(key, one) for key, one in _by_key(shown).items()})

    def _one(self, key: str, shown: NDArray[Any]) -> NDArray[Any]:
        mean = self._tensors.get(_name("mean", key))
        if mean is None:
            return shown
        spread = np.sqrt(self._tensors[_name("var", key)] + self._epsilon)
        normal: NDArray[Any] = np.clip((shown - mean) / spread, -self._clip, self._clip)
        return normal.astype(np.float32)


def layers_of(env: object) -> tuple[Any, list[dict[str, Any]], Tensors]:
    """Reads off what lies between a policy and its arenas.

    Args:
        env: The `VecEnv` that a model was trained in.

    Returns:
        The innermost `VecEnv`; the layers from there outwards, as plain values; and their tensors,
        each named after its layer's number.

    Raises:
        ValueError: If a wrapper is one whose work cannot be written down.
    """
    wrappers = require("stable_baselines3", "rl").common.vec_env
    chain = []
    while isinstance(env, wrappers.VecEnvWrapper):
        chain.append(env)
        env = env.venv
    layers: list[dict[str, Any]] = []
    tensors: Tensors = {}
    for wrapper in reversed(chain):
        if type(wrapper) is wrappers.VecFrameStack:
            frames = plain_int("n_stack", wrapper.stacked_obs.n_stack)
            layers.append({"layer": "stack", "frames": frames})
        elif type(wrapper) is wrappers.VecNormalize:
            if wrapper.norm_obs:
                number = len(layers)
                tensors |= {f"layer.{number}.{k}": v for k, v in _statistics(wrapper).items()}
                layers.append(
                    {
                        "layer": "normalise",
                        "clip": plain_float("clip_obs", wrapper.clip_obs),
                        "epsilon": plain_float("epsilon", wrapper.epsilon),
                    }
                )
        elif type(wrapper) not in (wrappers.VecMonitor, wrappers.VecTransposeImage):
            raise ValueError(
                f"What a {type(wrapper).__name__} does to observations cannot be written down; "
                "a policy may be trained through VecFrameStack and VecNormalize."
            )
    return env, layers, tensors


def made_layers(
    layers: Sequence[Mapping[str, Any]], tensors: Mapping[str, Any]
) -> list[StoredLayer]:
    """The layers at work, of what `layers_of` gave.

    Raises:
        ValueError: If one is unknown or badly formed.
    """
    made: list[StoredLayer] = []
    for number, layer in enumerate(layers):
        options = dict(layer)
        kind = options.pop("layer", None)
        prefix = f"layer.{number}."
        own = {
            name.removeprefix(prefix): one
            for name, one in tensors.items()
            if name.startswith(prefix)
        }
        try:
            made.append(
                FrameStack(**options) if kind == "stack" else _normalisation(kind, own, options)
            )
        except TypeError as error:
            raise ValueError(f"its layer {number} is badly formed ({error})") from None
    return made


def _normalisation(kind: Any, own: Tensors, options: Mapping[str, Any]) -> Normalisation:
    if kind != "normalise":
        raise ValueError(f"there is no layer {kind!r}, only 'stack' and 'normalise'")
    return Normalisation(own, **options)


def _statistics(wrapper: Any) -> Tensors:
    """Mean and variance by name."""
    statistics = wrapper.obs_rms if isinstance(wrapper.obs_rms, dict) else {_ALL: wrapper.obs_rms}
    found: Tensors = {}
    for key, one in statistics.items():
        found[_name("mean", key)] = one.mean
        found[_name("var", key)] = one.var
    return found


def _name(word: str, key: str) -> str:
    return word if key == _ALL else f"{word}.{key}"


def _by_key(shown: Shown) -> Mapping[str, NDArray[Any]]:
    return shown if isinstance(shown, Mapping) else {_ALL: shown}


def _like(shown: Shown, changed: Mapping[str, NDArray[Any]]) -> Shown:
    return changed if isinstance(shown, Mapping) else changed[_ALL]
