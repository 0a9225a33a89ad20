"""`Settings`: what makes a game the game it is; stored with every episode."""

import difflib
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from arena_breaker_gym._runtime.plain import plain_bool, plain_float, plain_int

MAX_EPISODE_STEPS = 3600  # 120 s at 30 decisions a second: the standard time limit
OBSERVATIONS = ("both", "pixels", "state", "flat")
PIXEL_SIZES = (64, 84, 96, 128, 256)
DEFAULT_REWARD: Mapping[str, float] = MappingProxyType({"score": 0.1, "damage": -1.0, "hits": 0.0})


def closest(word: str, choices: Iterable[str]) -> str:
    """A sentence's end that names the choices, nearest first when one is near."""
    choices = list(choices)
    near = difflib.get_close_matches(word, choices, n=1)
    hint = f"did you mean {near[0]!r}? Choose" if near else "choose"
    return f"{hint} from {', '.join(map(repr, choices))}"


class UnknownSettingError(TypeError, ValueError):
    """A keyword that is no setting: Python's `TypeError` by kind and wording, and bad input."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of a game; everything that play and observations depend on, seed and actions aside.

    Attributes:
        stages: Files of the campaign's stages, in order; None plays the three that come along.
        start_stage: Stage (1, 2, …) that an episode begins on unless `reset` says otherwise.
        frame_skip: Ticks of 1/60 s in a step.
        observation: "both", "pixels", "state" or "flat": the state's tables in one vector.
        pixel_size: Side of the square pixel observation: 64, 84, 96, 128 or 256.
        skin: Looks of the game; never changes play.
        point_blank_fix: False reproduces the article's bug: shots pass through enemies that
            overlap the muzzle.
        reward: Weights of the reward's terms: "score" (per point), "damage" (per hp lost) and
            "hits" (per shot that hits an enemy; 0 unless given).

    Raises:
        ValueError: If a value is not one of those allowed.
    """

    stages: tuple[str, ...] | None = None
    start_stage: int = 1
    frame_skip: int = 2
    observation: str = "both"
    pixel_size: int = 256
    skin: str = "default"
    point_blank_fix: bool = True
    reward: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_REWARD))

    def __post_init__(self) -> None:
        """Checks every value and makes plain tuples, dicts and numbers of what was given."""
        _check_choice("observation", self.observation, OBSERVATIONS)
        pixel_size = plain_int("pixel_size", self.pixel_size)
        _check_choice("pixel_size", pixel_size, PIXEL_SIZES)
        plain = {
            "stages": _file_names(self.stages),
            "start_stage": plain_int("start_stage", self.start_stage),
            "frame_skip": plain_int("frame_skip", self.frame_skip, most=60),
            "pixel_size": pixel_size,
            "skin": os.fspath(self.skin) if isinstance(self.skin, os.PathLike) else self.skin,
            "point_blank_fix": plain_bool("point_blank_fix", self.point_blank_fix),
            "reward": _complete_reward(self.reward),
        }
        for name, value in plain.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_keywords(cls, keywords: Mapping[str, Any]) -> Self:
        """Settings from keyword arguments.

        Raises:
            UnknownSettingError: If a keyword is unknown; the sentence suggests the nearest.
            ValueError: If a value is bad.
        """
        names = [one.name for one in fields(cls)]
        for keyword in keywords:
            if keyword not in names:
                raise UnknownSettingError(
                    f"ArenaBreaker got an unexpected keyword argument {keyword!r}: there is no "
                    f"setting {keyword!r}; {closest(keyword, names)}."
                )
        given = {name: value for name, value in keywords.items() if value is not None}
        return cls(**given)

    def check_skin(self) -> None:
        """Refuses a skin that there is not, drawn or not.

        Settings that are read from a file are not asked this: an episode that was played in a
        user's own skin is of use without it.

        Raises:
            ValueError: If there is no such skin or file, or the file is not a valid skin.
        """
        from arena_breaker_gym.rendering import skins

        skins.check(self.skin)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; `from_keywords` reads them back."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        values["stages"] = list(self.stages) if self.stages is not None else None
        values["reward"] = dict(self.reward)
        return values


def _file_names(stages: object) -> tuple[str, ...] | None:
    if stages is None:
        return None
    if isinstance(stages, str | Path) or not isinstance(stages, Iterable):
        raise ValueError(f"stages must be a list of files, got {stages!r}.")
    names = tuple(str(file) for file in stages)
    if not names:
        raise ValueError("stages must name at least one file, got an empty list.")
    return names


def _check_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    if value not in choices:
        allowed = ", ".join(map(repr, choices))
        raise ValueError(f"{name} must be one of {allowed}, got {value!r}.")


def _complete_reward(given: Mapping[str, float]) -> dict[str, float]:
    """Weights for every term: those given, zero for terms left out."""
    if not isinstance(given, Mapping):
        raise ValueError(f"reward must map terms to weights, got {given!r}.")
    for term, weight in given.items():
        if term not in DEFAULT_REWARD:
            raise ValueError(f"reward has no term {term!r}; {closest(str(term), DEFAULT_REWARD)}.")
        if not math.isfinite(plain_float(f"reward[{term!r}]", weight)):
            raise ValueError(f"reward[{term!r}] must be finite, got {weight!r}.")
    return {term: float(given.get(term, 0.0)) for term in DEFAULT_REWARD}
