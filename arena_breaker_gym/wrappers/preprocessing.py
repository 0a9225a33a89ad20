"""`PreprocessingConfig`: how observations and actions are changed for a learner; `Preprocessor`.

One implementation for a batch serves `PreprocessedEnv`, `PreprocessedVectorEnv`, the `VecEnv` for
Stable-Baselines3 and the agents that play what was trained.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from arena_breaker_gym._runtime.plain import plain_bool, plain_int
from arena_breaker_gym.batch.observation import TABLES, StateTables
from arena_breaker_gym.env import action_space_of, observation_space_of
from arena_breaker_gym.settings import Settings, closest
from arena_breaker_gym.stages.loader import load_campaign
from arena_breaker_gym.wrappers.discrete_actions import DiscreteActions
from arena_breaker_gym.wrappers.downsample import Downsample
from arena_breaker_gym.wrappers.feature_extractor import FeatureExtractor

# The least and the most that each number may be.
_RANGES = {"headings": (0, 64), "targets": (0, 16), "aims": (1, 64), "shrink": (1, 16)}


_PLAYER_HIDDEN = slice(2, 5)  # of `StateTables.player`: vx, vz, hp
_ENEMY_HIDDEN = slice(3, 6)  # of `StateTables.enemies`, likewise


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
