"""From stored episodes to examples: frames paired with the next 18 actions of the agent.

Frames are drawn again from the episodes, so the data set on disk is the episodes themselves. They
have no HUD unless one asks for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from hashlib import sha256
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym._runtime.jit import sources_digest
from arena_breaker_gym.batch.arenas import Arenas
from arena_breaker_gym.deprecated import old_names
from arena_breaker_gym.engine.arena import ARENA, MAX_ENEMIES
from arena_breaker_gym.rendering import skins
from arena_breaker_gym.rendering.camera import Camera
from arena_breaker_gym.rendering.renderer import Renderer
from arena_breaker_gym.rollout import Episode
from arena_breaker_gym.rollout.episode import looks_of
from arena_breaker_gym.rollout.replay import Layers, check_stages_named, resimulate
from arena_breaker_gym.settings import Settings
from nitrogen_adapter import gamepad
from nitrogen_adapter.data.examples import ABSENT, PLAYER, ArrayExamples
from nitrogen_adapter.data.label_statistics import LabelStatistics, Track, label_statistics
from nitrogen_adapter.data.windows import (
    ChunkSettings,
    Seen,
    SequenceExamples,
    busy_steps,
    chunk_starts,
    kept_starts,
)
from nitrogen_adapter.gamepad import DEFAULT_GAMEPAD, GamepadSettings

CLOSEST = 8
"""Fewest steps between two saved states: playing these takes as long as drawing the frame."""

__all__ = [
    "ChunkSettings",
    "EpisodeExamples",
    "auxiliary_targets_of",
    "build_examples",
    "busy_steps",
    "chunk_starts",
    "episode_statistics",
    "kept_starts",
    "split_by_episode",
]

ENEMY_SHOT = 7  # the kind of an enemy's shot among auxiliary targets; 1 to 6 are the enemies' codes
AUXILIARY_ROWS = 1 + MAX_ENEMIES + 16

MEMORY = 256 * 2**20
"""Bytes of saved states that a process keeps, however many episodes there are. Our own value."""

Item = TypeVar("Item")

__getattr__ = old_names(
    __name__,
    {
        "episode_balance": f"{__name__}.episode_statistics",
        "sights_of": f"{__name__}.auxiliary_targets_of",
    },
)


class KeyFrames:
    """States of one episode, saved every so many steps."""

    def __init__(self, episode: Episode, *, spacing: int) -> None:
        """Play an episode to its end once and save states on the way.

        Args:
            episode: of T steps.
            spacing: steps from one saved state to the next.

        Raises:
            ReplayError: if the episode does not play as recorded.
        """
        self._actions = episode.actions
        self._spacing = spacing
        self._states: list[bytes] = []
        for step, arenas in resimulate(episode):
            if step % spacing == 0:
                self._states.append(arenas.save(0))

    def walk(self, arenas: Arenas, steps: Iterable[int]) -> Iterator[int]:
        """Put an arena at some moments, one after the other.

        Args:
            arenas: a batch of one with the episode's settings; it is played on.
            steps: of the moments, rising, 0 to T.

        Yields:
            Each step, with the arena as the agent saw it then.
        """
        now = -1
        for step in steps:
            key = step // self._spacing
            if now < key * self._spacing:
                arenas.restore(0, self._states[key])
                now = key * self._spacing
            for action in self._actions[now:step]:
                arenas.step(action[np.newaxis])
            now = step
            yield step


def spacing_for(steps: int, memory: int) -> int:
    """Steps between saved states so that those of so many steps fit into some bytes."""
    return max(CLOSEST, -(-steps * ARENA.itemsize // max(memory, 1)))


class EpisodeExamples(SequenceExamples):
    """Examples of Arena Breaker's episodes, drawn when they are asked for.

    An episode is played once, when its first frame is wanted, and states are saved on the way;
    any moment is reached from the state before it. So random moments cost little, memory is
    bounded, and workers need the episodes' actions only.
    """

    auxiliary_rows = AUXILIARY_ROWS

    def __init__(
        self,
        episodes: Sequence[Episode],
        settings: ChunkSettings | None = None,
        *,
        size: int = 256,
        skin: str | None = None,
        hud: bool = False,
        buttons: GamepadSettings = DEFAULT_GAMEPAD,
        memory: int = MEMORY,
    ) -> None:
        """Pick the moments; nothing is played or drawn yet.

        Args:
            episodes: of any agent; those in which the agent failed are left out.
            settings: which moments are taken.
            size: side of the frames in pixels.
            skin: looks to draw them in; those they were played in where not given.
            hud: whether the HUD that people see lies over the frames.
            buttons: how actions lie on the gamepad.
            memory: bytes of saved states that each process keeps. With less of it, moments are
                played on from further back.

        Raises:
            ValueError: if nothing is left to learn from, or there is no such skin.
        """
        chosen = settings or ChunkSettings()
        self.episodes = [replace(one, snapshots=None) for one in episodes if not one.failed]
        super().__init__(
            [kept_starts(one.actions, chosen) for one in self.episodes], chosen, size=size
        )
        self.skin = skin
        self.hud = hud
        self.buttons = buttons
        for one in self.episodes:
            check_stages_named(one)
        for looks in {looks_of(one, skin) for one in self.episodes}:
            skins.every(looks)
        self._spacing = spacing_for(sum(map(len, self.episodes)), memory)
        self._key_frames: dict[int, KeyFrames] = {}
        self._worlds: dict[str, _World] = {}

    def look(self, sequence: int, steps: NDArray[np.int64]) -> Iterator[Seen]:
        """Draw an episode at some moments.

        Raises:
            ReplayError: if the episode does not play as recorded.
        """
        episode = self.episodes[sequence]
        arenas, renderer = self._world(episode.settings)
        frame = np.empty((1, self.size, self.size, 3), dtype=np.uint8)
        for _ in self._played(sequence).walk(arenas, steps.tolist()):
            renderer.compose(arenas.records, frame)
            seen = Layers(hud=self.hud).over(frame[0], arenas)
            yield Seen(seen, _auxiliary_targets_in(arenas, self.size))

    def records(self, *, ahead: int = 0) -> Iterator[NDArray[np.void]]:
        """Yield for every episode its states of play (n,) at the examples' steps.

        Args:
            ahead: steps after those of the newest frames.

        Raises:
            ReplayError: if an episode does not play as recorded.
        """
        for sequence, episode in enumerate(self.episodes):
            steps = self.windows[self.windows[:, 0] == sequence, 1] + ahead
            arenas, _ = self._world(episode.settings)
            walk = self._played(sequence).walk(arenas, steps.tolist())
            found = [arenas.records[0].copy() for _ in walk]
            if found:
                yield np.stack(found)

    def rows_at(self, sequence: int, steps: NDArray[np.int64]) -> NDArray[np.float32]:
        """Pack the actions of some steps."""
        return gamepad.pack(self.episodes[sequence].actions[steps], self.buttons)

    def statistics(self) -> LabelStatistics:
        """Report what the examples hold, and which actions are rare."""
        return episode_statistics(self.episodes, self.settings, buttons=self.buttons)

    def fingerprint(self) -> str:
        """Return a digest of all that the examples depend on."""
        looks = {skin: repr(skins.every(skin)) for skin in sorted(self._skins())}
        parts = [
            {
                "engine": sources_digest("rendering"),
                "looks": looks,
                "skin": self.skin,
                **({"hud": True} if self.hud else {}),
            },
            {"chunks": asdict(self.settings), "size": self.size, "gamepad": asdict(self.buttons)},
            *({"settings": one.settings.to_dict(), "end": one.final_hash} for one in self.episodes),
        ]
        digest = sha256(json.dumps(parts, sort_keys=True).encode())
        for episode in self.episodes:
            digest.update(np.ascontiguousarray(episode.actions).tobytes())
        return digest.hexdigest()

    def __getstate__(self) -> dict[str, object]:
        """Leave behind what another process makes for itself."""
        return {**self.__dict__, "_key_frames": {}, "_worlds": {}}

    def _played(self, sequence: int) -> KeyFrames:
        """The saved states of an episode, which is played for them once."""
        if sequence not in self._key_frames:
            self._key_frames[sequence] = KeyFrames(self.episodes[sequence], spacing=self._spacing)
        return self._key_frames[sequence]

    def _skins(self) -> set[str]:
        return {self.skin or one.settings.skin for one in self.episodes}

    def _world(self, settings: Settings) -> _World:
        """The arena and the renderer that all episodes of equal settings share."""
        key = json.dumps(settings.to_dict(), sort_keys=True)
        if key not in self._worlds:
            arenas = Arenas(settings, count=1)
            looks = self.skin or settings.skin
            renderer = Renderer(arenas.loaded.models, size=self.size, skin=looks)
            self._worlds[key] = _World(arenas, renderer)
        return self._worlds[key]


class _World(NamedTuple):
    """A place to put saved states into, and what draws it."""

    arenas: Arenas
    renderer: Renderer


def build_examples(
    episodes: Sequence[Episode],
    settings: ChunkSettings,
    *,
    size: int = 256,
    skin: str | None = None,
    buttons: GamepadSettings = DEFAULT_GAMEPAD,
    on_episode: Callable[[int, int], None] | None = None,
) -> tuple[ArrayExamples, LabelStatistics]:
    """Draw the frames and pack the chunks of some episodes, in memory.

    Args:
        episodes: of any agent; those in which the agent failed are left out.
        settings: which moments are taken.
        size: side of the frames in pixels.
        skin: looks to draw them in; those they were played in where not given.
        buttons: how actions lie on the gamepad.
        on_episode: told after every episode how many are done, and of how many.

    Returns:
        Frames (N, size, size, 3) with packed rows (N, horizon, 25) and auxiliary targets
        (N, 41, 3), and what they hold.

    Raises:
        ValueError: if nothing is left to learn from, or an episode does not play as recorded.
    """
    examples = EpisodeExamples(episodes, settings, size=size, skin=skin, buttons=buttons)
    return examples.collect(on_episode), examples.statistics()


def episode_statistics(
    episodes: Iterable[Episode],
    settings: ChunkSettings,
    *,
    buttons: GamepadSettings = DEFAULT_GAMEPAD,
) -> LabelStatistics:
    """Report what the kept chunks of some episodes hold; nothing is played or drawn for it.

    Args:
        episodes: of any agent; those that the agent failed are left out.
        settings: which moments are taken.
        buttons: how actions lie on the gamepad.

    Raises:
        ValueError: if no chunk is busy enough to be kept.
    """
    tracks = (
        Track(
            gamepad.pack(one.actions, buttons),
            kept_starts(one.actions, settings),
            {"stage": str(one.stage), "agent": one.agent},
        )
        for one in episodes
        if not one.failed
    )
    return label_statistics(
        tracks, settings, old_layout=buttons.old_layout, dash=buttons.dash_button
    )


def split_by_episode(
    episodes: Sequence[Item], share: float, seed: int
) -> tuple[list[Item], list[Item]]:
    """Keep whole episodes from training: two moments of one episode look almost alike.

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


def auxiliary_targets_of(arena: np.record, camera: Camera) -> NDArray[np.float32]:
    """What stands where in an arena's frame, for the dense supervision of a base from nothing.

    Args:
        arena: the arena's record.
        camera: that draws its stage.

    Returns:
        (41, 3) column and row as shares of the frame, and kind: 0 the player, 1 to 6 the
        enemies by their codes, 7 an enemy's shot, `ABSENT` where the row is empty.
    """
    enemies = arena.enemies[arena.enemies["kind"] != 0]
    shots = arena.enemy_shots[arena.enemy_shots["live"] != 0]
    shots = shots[: AUXILIARY_ROWS - 1 - len(enemies)]
    x = np.concatenate([[arena.player.x], enemies["x"], shots["x"]])
    z = np.concatenate([[arena.player.z], enemies["z"], shots["z"]])
    column, row = camera.project(x, z)  # type: ignore[arg-type]  # holds for arrays alike
    table = np.full((AUXILIARY_ROWS, 3), ABSENT, dtype=np.float32)
    table[: len(x), 0] = column / camera.size
    table[: len(x), 1] = row / camera.size
    table[0, 2] = PLAYER
    table[1 : 1 + len(enemies), 2] = enemies["kind"]
    table[1 + len(enemies) : len(x), 2] = ENEMY_SHOT
    return table


def _auxiliary_targets_in(arenas: Arenas, size: int) -> NDArray[np.float32]:
    arena = arenas.records[0]
    floor = arenas.loaded.models[arena.stage].size
    return auxiliary_targets_of(arena, Camera.over(floor.width, floor.depth, size))
