"""`Session`: what a person plays, one game after another, and how each comes to be kept."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray

from agents.inputs.request import Request, Wish
from arena_breaker_gym.rollout.episode import Episode
from arena_breaker_gym.rollout.game import Game
from arena_breaker_gym.rollout.number import claimed_number
from arena_breaker_gym.rollout.plan import Plan
from arena_breaker_gym.rollout.store import EpisodeStore
from arena_breaker_gym.settings import MAX_EPISODE_STEPS, Settings
from arena_breaker_gym.stages.loader import load_campaign

LEFT = "left by the player"
BREATH_S = 0.8  # after an end, in which a dash that comes too late confirms nothing


class Mode(Enum):
    """What is on the screen."""

    MENU = auto()
    PLAYING = auto()
    PAUSED = auto()
    OVER = auto()


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What is played.

    Attributes:
        settings: The games' settings; `start_stage` is the one that the menu offers first.
        seed: Seed of the first game; each next has one more.
        store: Where episodes are kept; None: nowhere.
        agent: The name under which they are kept.
        max_steps: Steps after which a game is cut off.
    """

    settings: Settings
    seed: int
    store: EpisodeStore | None = None
    agent: str = "human"
    max_steps: int = MAX_EPISODE_STEPS


class Session:
    """A person's games; whoever shows them reads the attributes.

    Attributes:
        terms: What is played.
        models: The stages that there are.
        mode: What is on the screen.
        game: The game under way, or the last one; None before the first.
        before: (1,) the game's record as it was one step ago.
        action: (5,) the last action played.
        chosen: The stage that the menu points at, from 1.
        ending: The last game as it is kept, once it is over.
        note: Where it is kept, or why it is not; empty if nothing is to be kept.
        kept: How many episodes have been kept.
        running: False once the person has left.
    """

    def __init__(self, terms: Terms, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Opens the menu.

        Args:
            terms: What is played.
            clock: Seconds that only grow.

        Raises:
            ValueError: If the settings cannot be met.
            OSError: If the folder for episodes cannot be made.
        """
        self.terms = terms
        self.models = load_campaign(terms.settings.stages).models
        self.mode = Mode.MENU
        self.game: Game | None = None
        self.before: NDArray[np.void] | None = None
        self.action = np.zeros(5, dtype=np.float32)
        self.chosen = terms.settings.start_stage
        self.ending: Episode | None = None
        self.note = ""
        self.kept = 0
        self.running = True
        self._clock = clock
        self._ended_at = 0.0
        self._begun = 0
        self._unkept: list[Episode] = []
        if terms.store is not None:
            terms.store.folder.mkdir(parents=True, exist_ok=True)

    @property
    def steps_left(self) -> int:
        """Steps until the game is cut off."""
        return self.terms.max_steps - (self.game.steps if self.game is not None else 0)

    def begin(self, stage: int) -> None:
        """Begins a game; one under way is left.

        Args:
            stage: Stage to begin on, from 1.

        Raises:
            ValueError: If there is no such stage.
        """
        plan = Plan(
            agent=self.terms.agent,
            settings=self.terms.settings,
            seed=self.terms.seed + self._begun,
            stages=(stage,),
            max_steps=self.terms.max_steps,
        )
        plan.checked_digest()
        self.leave()
        self.game = Game(plan)
        self.before = self.game.arenas.records.copy()
        self.action[:] = 0.0
        self.ending, self.note = None, ""
        self.chosen = stage
        self._begun += 1
        self.mode = Mode.PLAYING

    def step(self, action: NDArray[np.float32]) -> None:
        """Plays one step of the game under way; a game that ends with it is kept at once.

        Args:
            action: (5,) move_x, move_z, aim_x, aim_z, dash.
        """
        game = self.game
        if game is None or self.mode is not Mode.PLAYING:
            return
        self.before = game.arenas.records.copy()
        self.action[:] = action
        game.step(action)
        if game.over:
            self.mode = Mode.OVER
            self._ended_at = self._clock()
            self._end(game)

    def obey(self, request: Request) -> None:
        """Does what the person asks, where it makes sense; else nothing."""
        deed = _DEEDS.get(request.wish)
        if deed is not None:
            deed(self)
        elif request.wish is Wish.STAGE and self.mode is not Mode.PLAYING:
            self._begin_chosen(request.stage)

    def leave(self) -> None:
        """Ends the game under way, if there is one: it is kept, marked as left."""
        game, self.game, self.before = self.game, None, None
        if game is not None and self.ending is None and game.steps > 0:
            self._end(game)

    def close(self) -> None:
        """Ends everything.

        Raises:
            OSError: If an episode could not be kept.
        """
        self.running = False
        self.leave()
        self._write()

    def _begin_chosen(self, stage: int) -> None:
        if 1 <= stage <= len(self.models):
            self.begin(stage)

    def _pause(self) -> None:
        if self.mode is Mode.PLAYING:
            self.mode = Mode.PAUSED
        elif self._under_way():
            self.mode = Mode.PLAYING
        elif self.mode is Mode.OVER:
            self.mode = Mode.MENU

    def _rest(self) -> None:
        if self.mode is Mode.PLAYING:
            self.mode = Mode.PAUSED

    def _restart(self) -> None:
        if self.game is not None and self.mode is not Mode.MENU:
            self.begin(self.game.plan.stage_of(0))

    def _again(self) -> None:
        if self.mode is not Mode.PLAYING:
            self._restart()

    def _open_menu(self) -> None:
        if self.mode is not Mode.MENU:
            self.mode = Mode.MENU
        elif self._under_way():
            self.mode = Mode.PAUSED

    def _choose(self, by: int) -> None:
        if self.mode is Mode.MENU:
            self.chosen = (self.chosen - 1 + by) % len(self.models) + 1

    def _confirm(self) -> None:
        if self.mode is Mode.MENU:
            self.begin(self.chosen)
        elif self.mode is Mode.PAUSED:
            self.mode = Mode.PLAYING
        elif self.mode is Mode.OVER and self._clock() - self._ended_at >= BREATH_S:
            self._restart()

    def _quit(self) -> None:
        if self.mode is not Mode.PLAYING:
            self.running = False

    def _stop(self) -> None:
        self.running = False

    def _under_way(self) -> bool:
        return self.game is not None and not self.game.over

    def _end(self, game: Game) -> None:
        self.ending = game.result(LEFT)
        if self.terms.store is None:
            return
        self._unkept.append(self.ending)
        try:
            self._write()
        except OSError as error:
            self.note = f"Not kept yet: {error.strerror or error}"

    def _write(self) -> None:
        """Writes what is still to be kept, the oldest first."""
        store = self.terms.store
        while store is not None and self._unkept:
            with claimed_number(store) as number:
                path = store.save(number, self._unkept[0])
            self._unkept.pop(0)
            self.kept += 1
            self.note = f"Kept as {path.name}"


_DEEDS: dict[Wish, Callable[[Session], None]] = {
    Wish.PAUSE: Session._pause,
    Wish.RESTART: Session._restart,
    Wish.AGAIN: Session._again,
    Wish.MENU: Session._open_menu,
    Wish.BACK: lambda session: session._choose(-1),
    Wish.NEXT: lambda session: session._choose(1),
    Wish.CONFIRM: Session._confirm,
    Wish.QUIT: Session._quit,
    Wish.CLOSE: Session._stop,
    Wish.AWAY: Session._rest,
}
