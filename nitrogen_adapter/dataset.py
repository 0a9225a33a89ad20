"""From stored episodes to examples: HUD-less frames paired with the next 18 actions of the tutor.

Frames are drawn anew from the episodes, so the data set on disk is the episodes themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym.engine.arena import MAX_ENEMIES
from arena_breaker_gym.rendering.camera import Camera
from arena_breaker_gym.rendering.renderer import Renderer
from arena_breaker_gym.rollout import Episode
from arena_breaker_gym.rollout.replay import resimulate
from nitrogen_adapter import gamepad
from nitrogen_adapter.examples import ArrayExamples
from nitrogen_adapter.gamepad import DEFAULT_GAMEPAD, GamepadSettings
from nitrogen_adapter.sight import ABSENT, PLAYER

ENEMY_SHOT = 7  # the kind of an enemy's shot among sights; 1 to 6 are the enemies' codes
SIGHT_ROWS = 1 + MAX_ENEMIES + 16

Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True)
class ChunkSettings:
    """Which moments of an episode become examples.

    Attributes:
        horizon: actions in a chunk.
        stride: steps from one example to the next.
        action_shift: steps between the frame and the first action of its chunk.
        idle_threshold: a stick longer than this, or the button, makes a step busy. The public
            data set's figure.
        busy_share: least share of busy steps for a chunk to be kept. The article's half.
    """

    horizon: int = 18
    stride: int = 1
    action_shift: int = 0
    idle_threshold: float = 0.1
    busy_share: float = 0.5

    def __post_init__(self) -> None:
        """Refuse settings that cannot be meant.

        Raises:
            ValueError: if so, naming the setting.
        """
        for name, least in (("horizon", 1), ("stride", 1), ("action_shift", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least {least}.")


@dataclass(frozen=True)
class Balance:
    """What the kept chunks hold: a rare action is easily lost in training.

    Attributes:
        moments: moments looked at, one every `stride` steps with a whole chunk after it.
        kept: examples kept by the idle rule.
        moving: share of their steps with the move stick beyond the idle threshold.
        aiming: share of their steps with the aim stick beyond it.
        dashing: share of their steps with the dash pressed.
    """

    moments: int
    kept: int
    moving: float
    aiming: float
    dashing: float


def busy_steps(actions: NDArray[np.float32], settings: ChunkSettings) -> NDArray[np.bool_]:
    """Which of (T, 5) actions press the dash or a stick beyond the idle threshold; (T,)."""
    move = np.hypot(actions[:, 0], actions[:, 1])
    aim = np.hypot(actions[:, 2], actions[:, 3])
    pressed = actions[:, 4] > gamepad.DOWN
    busy: NDArray[np.bool_] = (np.maximum(move, aim) > settings.idle_threshold) | pressed
    return busy


def chunk_starts(actions: NDArray[np.float32], settings: ChunkSettings) -> NDArray[np.int64]:
    """Every moment that could be an example: a whole chunk of (T, 5) actions lies after it."""
    last = len(actions) - settings.action_shift - settings.horizon
    return np.arange(0, max(last + 1, 0), settings.stride, dtype=np.int64)


def kept_starts(actions: NDArray[np.float32], settings: ChunkSettings) -> NDArray[np.int64]:
    """The moments whose chunks are busy enough to be kept."""
    starts = chunk_starts(actions, settings)
    if len(starts) == 0:
        return starts
    busy = np.concatenate([[0], np.cumsum(busy_steps(actions, settings))])
    first = starts + settings.action_shift
    share = (busy[first + settings.horizon] - busy[first]) / settings.horizon
    kept: NDArray[np.int64] = starts[share >= settings.busy_share]
    return kept


def build_examples(
    episodes: Sequence[Episode],
    settings: ChunkSettings,
    *,
    size: int = 256,
    skin: str | None = None,
    buttons: GamepadSettings = DEFAULT_GAMEPAD,
    on_episode: Callable[[int, int], None] | None = None,
) -> tuple[ArrayExamples, Balance]:
    """Draw the frames and pack the chunks of some episodes, in memory.

    Args:
        episodes: of any agent; those in which the agent failed are left out.
        settings: which moments are taken.
        size: side of the frames in pixels.
        skin: looks to draw them in; those they were played in where not given.
        buttons: how actions lie on the gamepad.
        on_episode: told after every episode how many are done, and of how many.

    Returns:
        Frames (N, size, size, 3) with packed rows (N, horizon, 25) and sights (N, 41, 3), and
        what they hold.

    Raises:
        ValueError: if nothing is left to learn from, or an episode does not play as recorded.
    """
    played = [episode for episode in episodes if not episode.failed]
    starts = [kept_starts(episode.actions, settings) for episode in played]
    count = sum(map(len, starts))
    if count == 0:
        raise ValueError(
            f"{len(played)} episodes hold no chunk of {settings.horizon} actions that is busy "
            f"in at least {settings.busy_share:.0%} of its steps."
        )
    frames = np.empty((count, size, size, 3), dtype=np.uint8)
    sights = np.empty((count, SIGHT_ROWS, 3), dtype=np.float32)
    chunks = np.empty((count, settings.horizon, len(gamepad.ACTION)), dtype=np.float32)
    filled = 0
    for number, (episode, moments) in enumerate(zip(played, starts, strict=True)):
        end = filled + len(moments)
        _draw(episode, moments, frames[filled:end], sights[filled:end], skin)
        first = moments + settings.action_shift
        chunks[filled:end] = episode.actions[first[:, None] + np.arange(settings.horizon)]
        filled = end
        if on_episode is not None:
            on_episode(number + 1, len(played))
    moments_seen = sum(len(chunk_starts(episode.actions, settings)) for episode in played)
    balance = _balance(chunks, moments_seen, settings)
    return ArrayExamples(frames, gamepad.pack(chunks, buttons), sights), balance


def split_by_episode(
    episodes: Sequence[Item], share: float, seed: int
) -> tuple[list[Item], list[Item]]:
    """Keep whole episodes from training: two moments of one episode look all but alike.

    Args:
        episodes: at least two, of any kind, or their numbers. Arena Breaker's own that the agent
            failed are left out of both sides, since nothing is learned from them.
        share: of the episodes that is held out, above 0 and below 1; rounded to whole episodes,
            of which either side gets at least one.
        seed: of the choice. The same number of episodes, share and seed give the same choice.

    Returns:
        Those to train on and those held out, both in their old order.

    Raises:
        ValueError: if there are fewer than two episodes or the share is out of range.
    """
    if not 0.0 < share < 1.0:
        raise ValueError(f"The held-out share is {share}; expected above 0 and below 1.")
    played = [one for one in episodes if not (isinstance(one, Episode) and one.failed)]
    if len(played) < 2:
        raise ValueError(
            f"There are {len(played)} episodes to learn from; expected at least 2, one to train "
            "on and one to hold out."
        )
    count = min(max(round(share * len(played)), 1), len(played) - 1)
    chosen = set(np.random.default_rng(seed).permutation(len(played))[:count].tolist())
    sides: tuple[list[Item], list[Item]] = ([], [])
    for number, episode in enumerate(played):
        sides[number in chosen].append(episode)
    return sides


def sights_of(arena: np.record, camera: Camera) -> NDArray[np.float32]:
    """What stands where in an arena's frame, for the dense supervision of a base from nothing.

    Args:
        arena: the arena's record.
        camera: that draws its stage.

    Returns:
        (41, 3) column and row as shares of the frame, and kind: 0 the player, 1 to 6 the
        enemies by their codes, 7 an enemy's shot, `ABSENT` where the row is empty.
    """
    table = np.full((SIGHT_ROWS, 3), ABSENT, dtype=np.float32)
    things = [(arena.player.x, arena.player.z, PLAYER)]
    things += [(one["x"], one["z"], one["kind"]) for one in arena.enemies if one["kind"] != 0]
    shots = arena.enemy_shots[arena.enemy_shots["live"] != 0]
    things += [(one["x"], one["z"], ENEMY_SHOT) for one in shots]
    for row, (x, z, kind) in zip(table, things, strict=False):
        column, line = camera.project(x, z)
        row[:] = column / camera.size, line / camera.size, kind
    return table


def _draw(
    episode: Episode,
    moments: NDArray[np.int64],
    frames: NDArray[np.uint8],
    sights: NDArray[np.float32],
    skin: str | None,
) -> None:
    """Draws an episode at some rising moments: frames (n, size, size, 3), sights (n, 41, 3)."""
    if len(moments) == 0:
        return
    renderer: Renderer | None = None
    row = 0
    for step, arenas in resimulate(episode):
        if renderer is None:
            looks = skin or episode.settings.skin
            renderer = Renderer(arenas.loaded.models, size=frames.shape[1], skin=looks)
        if row < len(moments) and step == moments[row]:
            renderer.compose(arenas.records, frames[row : row + 1])
            arena = arenas.records[0]
            floor = arenas.loaded.models[arena.stage].size
            sights[row] = sights_of(arena, Camera.over(floor.width, floor.depth, renderer.size))
            row += 1


def _balance(chunks: NDArray[np.float32], moments: int, settings: ChunkSettings) -> Balance:
    sticks = np.hypot(chunks[..., 0:4:2], chunks[..., 1:4:2]) > settings.idle_threshold
    return Balance(
        moments=moments,
        kept=len(chunks),
        moving=float(sticks[..., 0].mean()),
        aiming=float(sticks[..., 1].mean()),
        dashing=float((chunks[..., 4] > gamepad.DOWN).mean()),
    )
