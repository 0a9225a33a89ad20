"""`ArenaBreakerEnv`: the Gymnasium face of one arena, a batch of one."""

import itertools
import math
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from arena_breaker_gym._runtime.plain import plain_bool, plain_int
from arena_breaker_gym.batch.arenas import ACTION_LENGTH, REWARD_TERMS, Arenas
from arena_breaker_gym.batch.observation import STATE_NUMBERS, TABLES, tables_of_one
from arena_breaker_gym.engine.arena import TICKS_PER_SECOND
from arena_breaker_gym.rendering.frames import render_size_of
from arena_breaker_gym.settings import Settings

if TYPE_CHECKING:
    from arena_breaker_gym.rendering.renderer import View

Observation = dict[str, NDArray[Any]] | NDArray[np.uint8] | NDArray[np.float32]

RENDER_MODES = ("rgb_array", "human")
DEFAULT_RENDER_SIZE = 512
FLAT_TERMS = tuple(f"reward_{term}" for term in REWARD_TERMS)  # in an `info` without dicts

_WAYS = [(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)]  # right, left, down, up


def action_space_of() -> spaces.Box:
    """The action space: move_x, move_z, aim_x, aim_z, dash."""
    return spaces.Box(-1.0, 1.0, (ACTION_LENGTH,), np.float32)


def observation_space_of(settings: Settings) -> spaces.Space[Any]:
    """The observation space under some settings: the flat `Dict`, a vector, or bare pixels."""
    if settings.observation == "flat":
        bounds = np.empty(STATE_NUMBERS, np.float32)
        for name, table in tables_of_one(bounds).items():
            table[...] = TABLES[name][1]
        return spaces.Box(-bounds, bounds, dtype=np.float32)
    shape = (settings.pixel_size, settings.pixel_size, 3)
    pixels = spaces.Box(0, 255, shape, np.uint8)
    if settings.observation == "pixels":
        return pixels
    tables: dict[str, spaces.Space[Any]] = {
        name: spaces.Box(-bound, bound, shape, np.float32)
        for name, (shape, bound) in TABLES.items()
    }
    if settings.observation == "both":
        tables["pixels"] = pixels
    return spaces.Dict(tables)


def view_of(arenas: Arenas, *, size: int, fps: float) -> "View":
    """The pictures that `render` gives; pygame is imported for those who ask for them.

    Raises:
        ValueError: If the size is out of range.
    """
    from arena_breaker_gym.rendering.renderer import View

    return View(arenas, size=size, fps=fps)


def steps_a_second(settings: Settings) -> float:
    """How many steps last a second; an int where it is a whole number, as Gymnasium likes it."""
    whole, rest = divmod(TICKS_PER_SECOND, settings.frame_skip)
    return TICKS_PER_SECOND / settings.frame_skip if rest else whole


def draw_keys(generator: np.random.Generator) -> list[int]:
    """Two 32-bit keys for an episode's random numbers, from Gymnasium's generator."""
    return [int(key) for key in generator.integers(0, 2**32, size=2)]


class ArenaBreakerEnv(gym.Env[Observation, NDArray[np.float32]]):
    """Arena Breaker, one arena.

    ## Description
    A twin-stick survival arena seen from above at an angle: move with the left stick, aim
    with the right one, which also fires, dash out of trouble. Three stages of waves; six
    enemies, saws and spikes. All numbers of the game are our own, except those that the
    article names (the aim threshold of 0.3, 256×256 frames, chunks of 18).

    ## Action Space
    `Box(-1, 1, (5,), float32)`: move_x, move_z, aim_x, aim_z, dash. x points right, z down the
    screen. A stick longer than 1 is scaled to 1. The gun fires by itself while the aim stick
    is at least 0.3 long. The dash button is pressed above 0.5.

    ## Observation Space
    A flat `Dict` of `pixels` (256, 256, 3) uint8 and the tables of
    `arena_breaker_gym.batch.observation.StateTables`: `player` (9,), `enemies` (16, 12),
    `enemy_projectiles` (24, 5), `hazards` (12, 6), `progress` (4,), float32.
    `observation="pixels"` gives the bare pixels, `observation="state"` the tables alone,
    `observation="flat"` the tables one after the other in one vector (397,).

    ## Rewards
    Score gained / 10, less 1 for each hp lost; hits count only if `reward` gives them a weight.
    `info["reward_score"]`, `["reward_damage"]` and `["reward_hits"]` are the terms; they sum
    exactly to the reward. Score: 10 for each wave begun and each enemy's value.

    ## Starting State
    The player stands at the stage's start with 5 hp; half a second later the first wave
    begins. Where enemies appear in their zones is random.

    ## Episode End
    Terminated when the player has no hp left or stage 3 is cleared (`info["victory"]`).
    Truncated after 3,600 steps (120 s), or what `gym.make(max_episode_steps=...)` says.

    ## Arguments
    Those of `arena_breaker_gym.settings.Settings`, and `render_mode` (None, "rgb_array" or
    "human"), `render_size` (side of the picture that `render` gives, default 512) and
    `flat_info` (default True; False: the reward's terms lie in a dict, `info["rewards"]`, which
    some libraries cannot read).
    `reset(options={"stage": n})` begins on stage n.

    ## Version History
    - v0: first release.
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]  # Gymnasium declares it per instance
        "render_modes": list(RENDER_MODES),
        "render_fps": TICKS_PER_SECOND // 2,
    }

    def __init__(
        self,
        *,
        render_mode: str | None = None,
        render_size: int = DEFAULT_RENDER_SIZE,
        flat_info: bool = True,
        **settings: object,
    ) -> None:
        """Makes the environment; see the class for the arguments.

        Raises:
            UnknownSettingError: If an argument is unknown; it is a `TypeError` and a `ValueError`.
            ValueError: If a value is bad.
        """
        if render_mode is not None and render_mode not in RENDER_MODES:
            raise ValueError(
                f"render_mode must be None, 'rgb_array' or 'human', got {render_mode!r}."
            )
        self.settings = Settings.from_keywords(settings)
        self.settings.check_skin()
        self.render_mode = render_mode
        self.render_size = render_size_of(render_size)
        self.flat_info = plain_bool("flat_info", flat_info)
        self.metadata = {  # type: ignore[misc]
            **self.metadata,
            "render_fps": steps_a_second(self.settings),
        }
        self.action_space: spaces.Space[Any] = action_space_of()
        self.observation_space: spaces.Space[Any] = observation_space_of(self.settings)
        self._has_state = self.settings.observation != "pixels"
        self._has_pixels = self.settings.observation in ("both", "pixels")
        self._is_flat = self.settings.observation == "flat"
        # Gymnasium's TimeLimit wrapper truncates; the environment itself does not.
        self._arenas = Arenas(self.settings, count=1)
        # Views of what the batch of one writes, taken once.
        self._tables = tuple(tables_of_one(self._arenas.state).items())
        self._facts: NDArray[np.int64] = self._arenas.info[0]
        self._terms: NDArray[np.float64] = self._arenas.reward_terms[0]
        self._view = (
            None
            if render_mode is None
            else view_of(self._arenas, size=self.render_size, fps=self.metadata["render_fps"])
        )

    @property
    def arenas(self) -> Arenas:
        """The batch of one that this environment is."""
        return self._arenas

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begins an episode.

        Args:
            seed: Seed of Gymnasium's generator, from which the game's keys are drawn.
            options: `{"stage": n}` begins on stage n.

        Returns:
            The observation and `info`, with the same keys as `step` gives.

        Raises:
            ValueError: If an option is unknown or there is no such stage.
        """
        super().reset(seed=None if seed is None else plain_int("seed", seed, least=0))
        stage = stage_option(options)
        self._arenas.reset(0, draw_keys(self.np_random), stage=stage)
        if self.render_mode == "human":
            self.render()
        self._arenas.observe()
        return self._observation(), self._info()

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Moves the game on by `frame_skip` ticks.

        Args:
            action: (5,) move_x, move_z, aim_x, aim_z in [-1, 1], dash.

        Returns:
            Observation, reward, terminated, truncated, info.

        Raises:
            ValueError: If the action's shape or dtype is wrong or a number is not finite; the
                arena is untouched then.
        """
        action = np.asarray(action)
        if action.shape != (ACTION_LENGTH,):
            raise ValueError(f"An action must have shape ({ACTION_LENGTH},), got {action.shape}.")
        arenas = self._arenas
        arenas.step(action[None], observing=self._has_state)
        if self.render_mode == "human":
            self.render()
        return (
            self._observation(),
            arenas.rewards.item(0),
            arenas.terminated.item(0),
            arenas.truncated.item(0),
            self._info(),
        )

    def render(self) -> NDArray[np.uint8] | None:
        """The picture with HUD, (render_size, render_size, 3) uint8; in "human" mode, a window."""
        if self._view is None:
            gym.logger.warn("render() needs gym.make(..., render_mode='rgb_array') or 'human'.")
            return None
        if self.render_mode == "human":
            self._view.show()
            return None
        return self._view.frame()

    def get_keys_to_action(self) -> dict[tuple[int, ...], NDArray[np.float32]]:
        """Keys for `gymnasium.utils.play`: WASD moves, arrows aim and fire, space dashes.

        Holding none is no combination that `play` takes: give it `noop=np.zeros(5, np.float32)`.
        """
        return keys_to_actions()

    def snapshot(self) -> dict[str, Any]:
        """The article's structured state of the arena as JSON values."""
        return self._arenas.snapshot(0)

    def save_state(self) -> bytes:
        """The whole state of the arena; Gymnasium's generator and time-limit wrapper excluded."""
        return self._arenas.save(0)

    def restore_state(self, state: bytes) -> None:
        """Puts back what `save_state` gave.

        Raises:
            ValueError: If it is no state of this engine version and these stages; the arena is
                untouched then.
        """
        self._arenas.restore(0, state)

    def close(self) -> None:
        """Closes the window, if there is one."""
        if self._view is not None:
            self._view.close()

    def _observation(self) -> Observation:
        """Copies of what the batch of one holds; the tables are written already."""
        if not self._has_state:
            pixels: NDArray[np.uint8] = self._arenas.compose()[0]
            return pixels
        if self._is_flat:
            return self._arenas.state.copy()
        observation = {name: table.copy() for name, table in self._tables}
        if self._has_pixels:
            observation["pixels"] = self._arenas.compose()[0]
        return observation

    def _info(self) -> dict[str, Any]:
        # In the orders of `INFO` and `REWARD_TERMS`; written out, it takes a third of the time.
        score, kills, stage, wave, hp, victory, shots_fired, hits, dashes, damage_taken = (
            _with_dtypes(self._facts.tolist())
        )
        info: dict[str, Any] = {
            "score": score,
            "kills": kills,
            "stage": stage,
            "wave": wave,
            "hp": hp,
            "victory": np.array(victory, np.bool_),
            "shots_fired": shots_fired,
            "hits": hits,
            "dashes": dashes,
            "damage_taken": damage_taken,
        }
        if self.flat_info:
            info.update(zip(FLAT_TERMS, self._terms, strict=True))
            return info
        of_score, of_damage, of_hits = self._terms.tolist()
        info["rewards"] = {"score": of_score, "damage": of_damage, "hits": of_hits}
        return info


# Whole numbers with a dtype, as readers of `info` want them; to look one up is far quicker than
# to make it.
_COUNTS = list(np.arange(4096, dtype=np.int64))
_look_up = _COUNTS.__getitem__


def _with_dtypes(numbers: list[int]) -> list[np.int64]:
    try:
        return list(map(_look_up, numbers))
    except IndexError:  # a score beyond them
        return list(map(np.int64, numbers))


def stage_option(options: dict[str, Any] | None) -> int | None:
    """The stage asked for in `reset(options=...)`, None if none.

    Raises:
        ValueError: If another option stands there.
    """
    for name in options or {}:
        if name != "stage":
            raise ValueError(f"reset has no option {name!r}; the only one is 'stage'.")
    return (options or {}).get("stage")


def keys_to_actions() -> dict[tuple[int, ...], NDArray[np.float32]]:
    """An action for every way to hold some of nine keys: WASD moves, arrows aim, space dashes."""
    import pygame

    moves = dict(zip((pygame.K_d, pygame.K_a, pygame.K_s, pygame.K_w), _WAYS, strict=True))
    arrows = (pygame.K_RIGHT, pygame.K_LEFT, pygame.K_DOWN, pygame.K_UP)
    aims = dict(zip(arrows, _WAYS, strict=True))
    keys = sorted([*moves, *aims, pygame.K_SPACE])
    return {
        held: np.array(
            [
                *_stick([moves[key] for key in held if key in moves]),
                *_stick([aims[key] for key in held if key in aims]),
                float(pygame.K_SPACE in held),
            ],
            np.float32,
        )
        for count in range(1, len(keys) + 1)
        for held in itertools.combinations(keys, count)
    }


def _stick(pulls: Collection[tuple[float, float]]) -> tuple[float, float]:
    """Where keys pull together, at most 1 long; opposite ones cancel out."""
    x, z = sum(pull[0] for pull in pulls), sum(pull[1] for pull in pulls)
    length = max(math.hypot(x, z), 1.0)
    return x / length, z / length
