"""`Games`: the episodes that clients have open, and how each of them comes to be kept."""

import logging
import math
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from arena_breaker_gym.rendering.renderer import Renderer
from arena_breaker_gym.rollout.batch import Game
from arena_breaker_gym.rollout.episode import Plan
from arena_breaker_gym.rollout.replay import Layers
from arena_breaker_gym.rollout.store import EpisodeStore, claimed_number
from arena_breaker_gym.settings import MAX_EPISODE_STEPS, Settings

_COUNTED = ("kills", "damage_taken")

MOST_OPEN = 16
LONGEST = 10 * MAX_EPISODE_STEPS  # steps: 20 minutes of play
IDLE_S = 1800.0  # without a call, after which an episode counts as abandoned
_REMEMBERED = 256  # endings by which a late call is told what became of its episode
_SEEDS = 2**31  # seeds that are drawn for those who name none

_LOG = logging.getLogger(__name__)


class _Answer(BaseModel):
    """An immutable answer; the text under a field is its description in the schema."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class Moment(_Answer):
    """The game as it stands."""

    step: int
    """Steps played so far."""

    steps_left: int
    """Steps until the episode is cut off."""

    snapshot: dict[str, object]
    """The arena: metres, x right, z towards the viewer, dx and dz from the player, m/s."""


class Started(Moment):
    """An episode that has just begun."""

    episode: str
    """What all other tools call it."""

    seed: int
    """The same seed, stage and actions play the same episode."""

    stage: int
    """The stage it begins on."""


class Ending(_Answer):
    """How an episode ended, and where it is kept."""

    status: str
    """"completed" (victory or defeat), "time limit", or "agent failed": not played to its end."""

    reason: str
    """Such as "victory", "killed by saw" or "ended by the client after 30 steps"."""

    steps: int
    """Steps played in all."""

    score: int
    """The score at the end."""

    file: str
    """The episode's file, to be replayed, filmed or learned from."""


class Turn(Moment):
    """What came of one call of `act`."""

    played: int
    """Steps that this call played; fewer than asked for if the episode ended."""

    reward: float
    """Sum over these steps: score gained / 10, less 1 for each hp lost, unless set otherwise."""

    hp_lost: int
    """Hit points lost in these steps."""

    kills: int
    """Enemies killed in these steps."""

    ended: Ending | None
    """Null while the episode goes on."""


class ServedGame(Game):
    """An episode under way that is looked at between calls."""

    def moment(self) -> Moment:
        """The game as it stands."""
        return Moment(**self._now())

    def frame(self, *, size: int, hud: bool) -> NDArray[np.uint8]:
        """The picture: (size, size, 3) uint8, RGB.

        Args:
            size: Side in pixels, 32 to 1024.
            hud: Whether hit points, score, stage and wave are drawn over it; students see none.
        """
        arenas = self.arenas
        renderer = Renderer(arenas.loaded.models, size=size, skin=arenas.settings.skin)
        return Layers(hud=hud).over(renderer.compose(arenas.records)[0], arenas)

    def act(self, action: NDArray[np.float32], steps: int) -> Turn:
        """Plays one action for some steps, or until the episode ends.

        Args:
            action: (5,) move_x, move_z, aim_x, aim_z, dash.
            steps: How many, at least 1.

        Raises:
            ValueError: If the game is over or the action not finite; nothing has been played
                then.
        """
        if self.over:
            raise ValueError("The episode is over but could not be kept yet: end it.")
        before = self.arenas.summary(0)
        begun, reward = self.steps, 0.0
        while not self.over and self.steps < begun + steps:
            self.step(action)
            reward += float(self.arenas.rewards[0])
        after = self.arenas.summary(0)
        kills, hp_lost = (after[name] - before[name] for name in _COUNTED)
        return Turn(
            **self._now(),
            played=self.steps - begun,
            reward=reward,
            hp_lost=hp_lost,
            kills=kills,
            ended=None,
        )

    def _now(self) -> dict[str, Any]:
        return {
            "step": self.steps,
            "steps_left": self.plan.max_steps - self.steps,
            "snapshot": self.arenas.snapshot(0),
        }


class GameError(ValueError):
    """A call that cannot be met, in one sentence; every game is as it was."""


@dataclass(frozen=True, kw_only=True)
class House:
    """What all games of a server share.

    Attributes:
        settings: The games' settings.
        store: Where episodes are kept.
        agent: The name under which they are kept.
        max_steps: Steps after which an episode is cut off unless its client says otherwise.
        idle_s: Seconds without a call after which an episode counts as abandoned.
        clock: Seconds that only grow.
    """

    settings: Settings
    store: EpisodeStore
    agent: str = "mcp"
    max_steps: int = MAX_EPISODE_STEPS
    idle_s: float = IDLE_S
    clock: Callable[[], float] = time.monotonic


@dataclass
class _Open:
    game: ServedGame
    called: float


class Games:
    """Episodes by the names that their clients were given; safe to call from many threads.

    A name is hard to guess, so clients of one server do not get into each other's games.
    """

    def __init__(self, house: House) -> None:
        """Opens no game yet."""
        self.house = house
        self._open: dict[str, _Open] = {}
        self._ended: OrderedDict[str, Ending] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many episodes are open."""
        return len(self._open)

    def warm_up(self) -> None:
        """Plays and draws a moment, so that no client waits for compilers and paint."""
        with self._lock:
            game = ServedGame(self._plan(seed=0, stage=None, max_steps=None))
            game.act(np.zeros(5, dtype=np.float32), 1)
            game.frame(size=self.house.settings.pixel_size, hud=False)

    def start(self, *, seed: int | None, stage: int | None, max_steps: int | None) -> Started:
        """Begins an episode.

        Args:
            seed: As for `env.reset(seed=...)`; None: one is drawn.
            stage: Stage (1, 2, …) to begin on; None: that of the settings.
            max_steps: Steps after which it is cut off; None: the house's.

        Raises:
            GameError: If there is no such stage, or too many episodes are open.
        """
        with self._lock:
            self._sweep()
            if len(self._open) >= MOST_OPEN:
                raise GameError(
                    f"{len(self._open)} episodes are open, which is the most at once: play one to "
                    "its end or end it first."
                )
            try:
                plan = self._plan(seed=seed, stage=stage, max_steps=max_steps)
                game = ServedGame(plan)
            except ValueError as error:
                raise GameError(str(error)) from error
            name = self._new_name()
            self._open[name] = _Open(game, self.house.clock())
            now = game.moment().model_dump()
            return Started(episode=name, seed=plan.seed, stage=plan.stage_of(0), **now)

    def look(self, name: str) -> Moment:
        """The game as it stands.

        Raises:
            GameError: If no such episode is open.
        """
        with self._lock:
            return self._called(name).moment()

    def draw(self, name: str, *, size: int | None, hud: bool) -> NDArray[np.uint8]:
        """The picture of a game: (size, size, 3) uint8, RGB.

        Args:
            name: The episode.
            size: Side in pixels; None: that of the settings.
            hud: Whether the HUD lies over it.

        Raises:
            GameError: If no such episode is open.
        """
        with self._lock:
            game = self._called(name)
            return game.frame(size=size or self.house.settings.pixel_size, hud=hud)

    def act(self, name: str, action: NDArray[np.float32], steps: int) -> Turn:
        """Plays on; an episode that ends with it is kept at once.

        Args:
            name: The episode.
            action: (5,) move_x, move_z, aim_x, aim_z, dash.
            steps: For how many steps.

        Raises:
            GameError: If no such episode is open, the action is not finite, or the episode
                ended and cannot be written; `end` tries again then.
        """
        with self._lock:
            game = self._called(name)
            try:
                turn = game.act(action, steps)
            except ValueError as error:
                raise GameError(str(error)) from error
            if not game.over:
                return turn
            return turn.model_copy(update={"ended": self._keep(name)})

    def end(self, name: str, reason: str = "ended by the client") -> Ending:
        """Ends an episode and keeps it, marked as failed unless it was over.

        Args:
            name: The episode.
            reason: Why, if it is not over.

        Raises:
            GameError: If no such episode is open, or it cannot be written.
        """
        with self._lock:
            self._called(name)
            return self._keep(name, reason)

    def sweep(self) -> None:
        """Keeps the episodes that no client has called for too long, marked as abandoned."""
        with self._lock:
            self._sweep()

    def close(self, reason: str) -> None:
        """Keeps all that is open, marked as failed; what cannot be written is logged."""
        if not self._open:
            return  # warm_up may hold the lock for long, and nothing opens before it is done
        with self._lock:
            for name in list(self._open):
                with suppress(GameError):
                    self._keep(name, reason)
            self._open.clear()

    def _plan(self, *, seed: int | None, stage: int | None, max_steps: int | None) -> Plan:
        house = self.house
        plan = Plan(
            agent=house.agent,
            settings=house.settings,
            seed=secrets.randbelow(_SEEDS) if seed is None else seed,
            stages=(house.settings.start_stage if stage is None else stage,),
            max_steps=max_steps or house.max_steps,
        )
        plan.checked_digest()
        return plan

    def _new_name(self) -> str:
        while True:
            # The letter keeps clients from taking a name for a number, as they do "12e45678".
            name = f"e-{secrets.token_hex(4)}"
            if name not in self._open and name not in self._ended:
                return name

    def _called(self, name: str) -> ServedGame:
        """The game of that name, whose client is there."""
        if name in self._open:
            one = self._open[name]
            one.called = self.house.clock()
            return one.game
        ending = self._ended.get(name)
        if ending is not None:
            raise GameError(
                f"Episode {name!r} has ended ({ending.reason}) and is kept in {ending.file}: "
                "start another."
            )
        raise GameError(f"There is no episode {_short(name)}: start one and use its name.")

    def _sweep(self) -> None:
        now = self.house.clock()
        idle = [name for name, one in self._open.items() if now - one.called >= self.house.idle_s]
        minutes = math.ceil(self.house.idle_s / 60)
        for name in idle:
            with suppress(GameError):
                self._keep(name, f"abandoned by the client, no call for {minutes} min,")

    def _keep(self, name: str, reason: str = "") -> Ending:
        """Writes an episode; it stays open if that fails. The reason is for one not over."""
        episode = self._open[name].game.result(reason)
        store = self.house.store
        try:
            with claimed_number(store) as number:
                path = store.save(number, episode)
        except OSError as error:
            sentence = f"{error.filename or store.folder}: {error.strerror or error}"
            _LOG.error("Episode %s cannot be kept: %s", name, sentence)
            raise GameError(f"The episode cannot be kept ({sentence}): end it again.") from error
        ending = Ending(
            status=episode.status,
            reason=episode.reason,
            steps=len(episode),
            score=int(episode.metrics["score"]),
            file=str(path.resolve()),
        )
        del self._open[name]
        self._ended[name] = ending
        while len(self._ended) > _REMEMBERED:
            self._ended.popitem(last=False)
        return ending


def _short(name: str) -> str:
    return repr(name if len(name) <= 40 else name[:40] + "…")
