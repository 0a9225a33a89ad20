"""`PreprocessingConfig`: how observations and actions are changed for a learner; `Preprocessor`.

One implementation for a batch serves `PreprocessedEnv`, `PreprocessedVectorEnv`, the `VecEnv` for
Stable-Baselines3 and the agents that play what was trained.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from arena_breaker_gym._runtime.jit import jit_cached
from arena_breaker_gym._runtime.plain import plain_bool, plain_int
from arena_breaker_gym.batch.observation import TABLES, StateTables
from arena_breaker_gym.env import action_space_of, observation_space_of
from arena_breaker_gym.settings import Settings, closest
from arena_breaker_gym.stages.loader import load_campaign
from arena_breaker_gym.wrappers.actions import DiscreteActions
from arena_breaker_gym.wrappers.feature_extractor import FeatureExtractor

# The least and the most that each number may be.
_RANGES = {"headings": (0, 64), "targets": (0, 16), "aims": (1, 64), "shrink": (1, 16)}


_PLAYER_HIDDEN = slice(2, 5)  # of `StateTables.player`: vx, vz, hp
_ENEMY_HIDDEN = slice(3, 6)  # of `StateTables.enemies`, likewise


class Downsample:
    """Makes the pictures of n arenas smaller at once.

    Attributes:
        space: Of one arena's picture.
    """

    def __init__(self, size: int, times: int) -> None:
        """Makes one.

        Args:
            size: Pixels a side of what comes in.
            times: How many times smaller what comes out is.

        Raises:
            ValueError: If that does not divide the side.
        """
        if size % times:
            raise ValueError(f"A picture of {size} pixels a side cannot be shrunk {times} times.")
        self.space = spaces.Box(0, 255, (size // times, size // times, 3), np.uint8)
        self._times = times

    def __call__(self, pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A new array (n, size / times, size / times, 3) of pictures (n, size, size, 3)."""
        out = np.empty((len(pictures), *self.space.shape), dtype=np.uint8)
        _shrink_batch(np.ascontiguousarray(pictures), self._times, out)
        return out


@jit_cached
def _shrink_batch(pictures: NDArray[np.uint8], times: int, out: NDArray[np.uint8]) -> None:
    count = times * times
    for index in range(out.shape[0]):
        for row in range(out.shape[1]):
            for column in range(out.shape[2]):
                for channel in range(3):
                    total = count // 2  # rounds to the nearest
                    for y in range(row * times, (row + 1) * times):
                        for x in range(column * times, (column + 1) * times):
                            total += pictures[index, y, x, channel]
                    out[index, row, column, channel] = total // count


@dataclass(frozen=True, kw_only=True)
class PreprocessingConfig:
    """What stands between a learner and the game.

    Attributes:
        senses: Whether it is shown the vector of `FeatureExtractor` instead of the state's tables.
        headings: Along how many headings it can choose to walk and dash; 0: it moves both sticks
            and presses the button itself, as five numbers, and what follows does not count.
        targets: How many targets the aim assist offers; 0: no aim assist.
        aims: Along how many headings it can choose to shoot without the aim assist.
        shrink: How many times smaller than the game's the pictures are that it is shown.
        single_frame: Whether velocities of enemies and of the player, and hit points, are hidden
            from senses and aim assist: what one picture of the game does not show. A policy that
            was trained so can be imitated from single frames.

    Raises:
        ValueError: If a value is not one of those allowed.
    """

    senses: bool = False
    headings: int = 0
    targets: int = 0
    aims: int = 24
    shrink: int = 1
    single_frame: bool = False

    def __post_init__(self) -> None:
        """Checks every value and keeps plain ones, whatever numbers were given."""
        for name in ("senses", "single_frame"):
            object.__setattr__(self, name, plain_bool(name, getattr(self, name)))
        for name, (least, most) in _RANGES.items():
            number = plain_int(name, getattr(self, name), least=least, most=most)
            object.__setattr__(self, name, number)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `to_dict` gave.

        Raises:
            ValueError: If a name is unknown (the sentence suggests the nearest) or a value bad.
        """
        names = [one.name for one in fields(cls)]
        for name in values:
            if name not in names:
                raise ValueError(
                    f"A preprocessing config has no {name!r}; {closest(str(name), names)}."
                )
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @property
    def assisted(self) -> bool:
        """Whether actions depend on the state that is shown."""
        return self.headings > 0 and self.targets > 0

    def made_for(self, settings: Settings) -> "Preprocessor":
        """The preprocessor for a game.

        Raises:
            ValueError: If it needs the state, or pixels, and the settings show something else.
        """
        return Preprocessor(self, settings)


class Preprocessor:
    """Turns what n arenas show, and what a learner chooses, as a config says.

    Attributes:
        observation_space: What the learner sees of one arena.
        action_space: What it chooses for one arena.
    """

    def __init__(self, config: PreprocessingConfig, settings: Settings) -> None:
        """Makes one; see `PreprocessingConfig.made_for`."""
        needs = [name for name in ("senses", "assisted") if getattr(config, name)]
        if needs and settings.observation != "state":
            word = "Senses" if config.senses else "The aim assist"
            raise ValueError(
                f'{word} read the state: make the game with observation="state", '
                f"not {settings.observation!r}."
            )
        if config.shrink > 1 and settings.observation != "pixels":
            raise ValueError(
                'Only pictures can be shrunk: make the game with observation="pixels", '
                f"not {settings.observation!r}."
            )
        campaign = load_campaign(settings.stages).table
        self.observation_space: spaces.Space[Any] = observation_space_of(settings)
        self.action_space: spaces.Space[Any] = action_space_of()
        self._senses = FeatureExtractor(campaign) if config.senses else None
        self._choices = (
            DiscreteActions(
                campaign, headings=config.headings, targets=config.targets, aims=config.aims
            )
            if config.headings
            else None
        )
        self._assisted = config.assisted
        self._read = _single_frame if config.single_frame else _tables
        self._shrink = Downsample(settings.pixel_size, config.shrink) if config.shrink > 1 else None
        if self._senses is not None:
            self.observation_space = self._senses.space
        if self._shrink is not None:
            self.observation_space = self._shrink.space
        if self._choices is not None:
            self.action_space = self._choices.space

    def observe(self, shown: Any) -> Any:
        """What the learner sees: (n, ...) arrays, of what n arenas show."""
        if self._senses is not None:
            return self._senses(self._read(shown))
        return shown if self._shrink is None else self._shrink(shown)

    def act(self, chosen: NDArray[Any], shown: Any) -> NDArray[np.float32]:
        """Actions (n, 5) of what the learner chose, (n, ...), on seeing what n arenas show.

        Raises:
            ValueError: If a choice is out of range or the shape is wrong.
        """
        if self._choices is None:
            return chosen
        return self._choices(chosen, self._read(shown) if self._assisted else None)


def _tables(shown: Mapping[str, NDArray[np.float32]]) -> StateTables:
    return StateTables(*(shown[name] for name in TABLES))


def _single_frame(shown: Mapping[str, NDArray[np.float32]]) -> StateTables:
    """The tables without what one picture does not show; enemies' shots trail their velocity."""
    tables = _tables(shown)
    player, enemies = tables.player.copy(), tables.enemies.copy()
    player[:, _PLAYER_HIDDEN] = 0.0
    enemies[:, :, _ENEMY_HIDDEN] = 0.0
    return tables._replace(player=player, enemies=enemies)


class PreprocessedEnv(
    gym.Wrapper[Any, Any, Any, NDArray[np.float32]], gym.utils.RecordConstructorArgs
):
    """`gym.make("ArenaBreaker-v0", observation="state")` with preprocessing."""

    def __init__(self, env: gym.Env[Any, Any], preprocessing: PreprocessingConfig) -> None:
        """Wraps an Arena Breaker.

        Raises:
            ValueError: If the preprocessing needs the state and the environment shows pixels.
        """
        gym.utils.RecordConstructorArgs.__init__(self, preprocessing=preprocessing)
        gym.Wrapper.__init__(self, env)
        self.preprocessing = preprocessing
        settings = env.unwrapped.settings  # type: ignore[attr-defined]
        self._preprocessor = preprocessing.made_for(settings)
        self.observation_space = self._preprocessor.observation_space
        self.action_space = self._preprocessor.action_space
        self._shown: Any = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begins an episode; see `ArenaBreakerEnv.reset`."""
        shown, info = self.env.reset(seed=seed, options=options)
        return self._see(shown), info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Plays what was chosen for one step.

        Raises:
            ValueError: If a choice is out of range; the arena is untouched then.
        """
        sticks = self._preprocessor.act(np.asarray(action)[None], self._shown)[0]
        shown, reward, terminated, truncated, info = self.env.step(sticks)
        return self._see(shown), float(reward), terminated, truncated, info

    def _see(self, shown: Any) -> Any:
        self._shown = _mapped(shown, lambda value: value[None])
        return _mapped(self._preprocessor.observe(self._shown), lambda value: value[0])


class PreprocessedVectorEnv(gym.vector.VectorWrapper):
    """`gym.make_vec("ArenaBreaker-v0", observation="state")` with preprocessing."""

    def __init__(
        self, env: gym.vector.VectorEnv[Any, Any, Any], preprocessing: PreprocessingConfig
    ) -> None:
        """Wraps a batch of Arena Breakers, in any autoreset mode.

        Raises:
            ValueError: If the preprocessing needs the state and the environment shows pixels.
        """
        super().__init__(env)
        self.preprocessing = preprocessing
        settings = env.unwrapped.settings  # type: ignore[attr-defined]
        self._preprocessor = preprocessing.made_for(settings)
        self.single_observation_space = self._preprocessor.observation_space
        self.single_action_space = self._preprocessor.action_space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._shown: Any = None

    def reset(
        self,
        *,
        seed: Any = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Begins episodes; see `ArenaBreakerVectorEnv.reset`."""
        self._shown, info = self.env.reset(seed=seed, options=options)
        return self._preprocessor.observe(self._shown), info

    def step(
        self, actions: Any
    ) -> tuple[Any, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Plays what was chosen for one step of every arena.

        Raises:
            ValueError: If a choice is out of range; no arena has moved then.
        """
        sticks = self._preprocessor.act(np.asarray(actions), self._shown)
        self._shown, rewards, terminated, truncated, info = self.env.step(sticks)
        if "final_obs" in info:
            info = {**info, "final_obs": self._last(info["final_obs"], info["_final_obs"])}
        return self._preprocessor.observe(self._shown), rewards, terminated, truncated, info

    def _last(self, shown: NDArray[Any], ended: NDArray[np.bool_]) -> NDArray[Any]:
        """The last observations of ended arenas as the learner sees them."""
        seen = np.full(self.num_envs, None, dtype=object)
        for index in np.flatnonzero(ended).tolist():
            one = _mapped(shown[index], lambda value: value[None])
            seen[index] = _mapped(self._preprocessor.observe(one), lambda value: value[0])
        return seen


def _mapped(shown: Any, change: Any) -> Any:
    """Changes an array, or every table of a dict."""
    if isinstance(shown, dict):
        return {name: change(value) for name, value in shown.items()}
    return change(shown)


class FlattenTables(
    gym.ObservationWrapper[dict[str, NDArray[Any]], Any, dict[str, NDArray[Any]]],
    gym.utils.RecordConstructorArgs,
):
    """Lays the two-dimensional tables of the state observation out in one row each.

    Stable-Baselines3 takes the tables as they are, but its `check_env` recommends vectors;
    with this wrapper it has nothing to remark.

    Raises:
        ValueError: If the observation is not a `Dict` (observation="pixels").
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        """Wraps an environment with observation "both" or "state"."""
        gym.utils.RecordConstructorArgs.__init__(self)
        gym.ObservationWrapper.__init__(self, env)
        if not isinstance(env.observation_space, spaces.Dict):
            raise ValueError('FlattenTables needs observation="both" or "state".')
        self.observation_space: spaces.Space[Any] = spaces.Dict(
            {name: _flat(space) for name, space in env.observation_space.items()}
        )

    def observation(self, observation: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """The same numbers; a table (rows, columns) becomes (rows · columns,)."""
        return {
            name: value.reshape(-1) if value.ndim == 2 else value
            for name, value in observation.items()
        }


def _flat(space: spaces.Space[Any]) -> spaces.Space[Any]:
    if not isinstance(space, spaces.Box) or len(space.shape) != 2:
        return deepcopy(space)
    return spaces.Box(space.low.reshape(-1), space.high.reshape(-1), dtype=space.dtype.type)
