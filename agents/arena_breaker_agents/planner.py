"""`PlannerAgent`: plays many futures in the simulator itself before it moves.

What it is made of stands first: options, futures of moves, aim, worth, search.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from arena_breaker_agents.registry import split_options
from arena_breaker_gym._runtime.plain import plain_int
from arena_breaker_gym.batch.arenas import ACTION_LENGTH, Arenas
from arena_breaker_gym.engine.arena import DEFEAT, VICTORY
from arena_breaker_gym.engine.player import RADIUS as PLAYER_RADIUS
from arena_breaker_gym.engine.roster import RADIUS
from arena_breaker_gym.engine.shots import RANGE
from arena_breaker_gym.engine.shots import SPEED as SHOT_SPEED
from arena_breaker_gym.rollout.agent import Observations
from arena_breaker_gym.rollout.episode import Plan
from arena_breaker_gym.settings import Settings
from arena_breaker_gym.stages.table import DISTANCE_NODES, StageRecord

DIRECTIONS = 16
STAND = DIRECTIONS  # the move that goes nowhere
_ANGLES = 2.0 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
# (17, 2) stick positions: a ring of full sticks, and the stick at rest.
STICKS = np.vstack([np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1), np.zeros((1, 2))])

_KEPT = 0.6  # chance that a drawn future goes on as before in its next segment
_DASHES = 0.06  # chance of a dash in a drawn segment
_CHANGED = 0.3  # chance that a varied future has a segment drawn again

_LIFE = 10.0
_END = 100.0  # for victory; defeat costs as much
_HIT = 0.2  # for each shot of the player that hits
_SCORE = 0.02  # for each point
_IMPATIENCE = 0.3  # share of what happens that no longer counts at the horizon
_DASH = 0.5  # for a dash that is ready at the end
_SQUEEZE = 0.15  # share of the crowding at the end of a segment that counts
_RIM = (3.0, 0.1)  # m from the outer walls at which the middle is missed, and how much a metre
# How much each type's nearness is minded, and over what distance that falls off.
#                   none swarmer shooter charger splitter bomber sentinel
_FEAR = np.array(  [0.0, 1.0,    0.3,    1.2,    1.0,     2.0,   1.0])  # fmt: skip
_BERTH = np.array( [1.0, 1.5,    2.0,    2.0,    1.5,     1.8,   2.5])  # m  # fmt: skip

# How many metres nearer a target of a type counts, by enemy code.
#                      none swarmer shooter charger splitter bomber sentinel
_EAGERNESS = np.array([0.0, 1.5,    0.5,    0.5,    0.0,     3.0,   0.5])  # fmt: skip
_HIDDEN = 30.0  # m farther that a target behind a wall counts
_LOOKS = np.linspace(0.1, 0.9, 9)  # shares of the way to a target at which walls are looked for
_SLIM = 0.12  # m from a wall at which a shot still passes

_PARENTS = 8  # futures that the next round varies
_HEIRS = 8  # of a search's first futures, how many vary what was planned before


@dataclass(frozen=True, kw_only=True)
class PlannerOptions:
    """How a planner searches; all its play depends on these and on the episode's seed.

    Attributes:
        horizon: Steps of the environment that it looks ahead; a multiple of `hold`.
        hold: Steps that a move is held, and after which it plans again.
        candidates: Futures played at once in a round.
        rounds: Rounds in a plan, each around the best futures of those before.
    """

    horizon: int = 36
    hold: int = 4
    candidates: int = 64
    rounds: int = 2

    def __post_init__(self) -> None:
        """Checks every value and keeps plain ones, whatever numbers were given.

        Raises:
            ValueError: If one is not allowed.
        """
        least = {"horizon": 1, "hold": 1, "candidates": 2, "rounds": 1}
        for name, lowest in least.items():
            object.__setattr__(self, name, plain_int(name, getattr(self, name), least=lowest))
        if self.horizon % self.hold:
            raise ValueError(
                f"horizon must be a multiple of hold, got {self.horizon} and {self.hold}."
            )

    @classmethod
    def parsed(cls, text: str) -> Self:
        """Reads "?horizon=24&candidates=32", as a command line has it behind the agent's name.

        Raises:
            ValueError: If an option is unknown or not allowed.
        """
        place, options, _ = split_options(text, {field.name: int for field in fields(cls)})
        if place:
            raise ValueError(f"The planner takes options such as ?horizon=24, got {text!r}.")
        return cls(**options)

    @property
    def segments(self) -> int:
        """Held moves in a future."""
        return self.horizon // self.hold

    @property
    def name(self) -> str:
        """All of them in a few words, as an agent's name has them."""
        return ", ".join(f"{field.name} {getattr(self, field.name)}" for field in fields(self))


@dataclass(frozen=True)
class Futures:
    """What the player might do from now on, n ways of it.

    Attributes:
        moves: (n, segments) indices into `STICKS`.
        dashes: (n, segments) bool, whether the segment begins with a dash.
    """

    moves: NDArray[np.int64]
    dashes: NDArray[np.bool_]

    def __len__(self) -> int:
        """The number of futures."""
        return len(self.moves)

    def __getitem__(self, rows: NDArray[np.integer] | slice) -> Futures:
        """Some of the futures."""
        return Futures(self.moves[rows], self.dashes[rows])

    def then(self, others: Futures) -> Futures:
        """These, followed by others."""
        return Futures(
            np.concatenate([self.moves, others.moves]),
            np.concatenate([self.dashes, others.dashes]),
        )

    def later(self) -> Futures:
        """What is left of them a segment later; the last move goes on."""
        moves, dashes = np.roll(self.moves, -1, axis=1), np.roll(self.dashes, -1, axis=1)
        moves[:, -1] = self.moves[:, -1]
        dashes[:, -1] = False
        return Futures(moves, dashes)


def straight(segments: int) -> Futures:
    """Every move held all the time, (17, segments), then every direction begun with a dash."""
    walks = np.repeat(np.arange(STAND + 1)[:, None], segments, axis=1)
    leaps = walks[:STAND]
    dashes = np.zeros((len(walks) + len(leaps), segments), dtype=np.bool_)
    dashes[len(walks) :, 0] = True
    return Futures(np.concatenate([walks, leaps]), dashes)


def drawn(count: int, segments: int, generator: np.random.Generator) -> Futures:
    """Futures that keep a direction for a while, then take any other."""
    moves = generator.integers(0, STAND + 1, (count, segments))
    kept = generator.random((count, segments)) < _KEPT
    for segment in range(1, segments):
        moves[:, segment] = np.where(kept[:, segment], moves[:, segment - 1], moves[:, segment])
    return Futures(moves, generator.random((count, segments)) < _DASHES)


def varied(best: Futures, count: int, generator: np.random.Generator) -> Futures:
    """Futures like some good ones: each takes one of them and draws a few segments again."""
    parents = best[generator.integers(0, len(best), count)]
    fresh = drawn(count, parents.moves.shape[1], generator)
    changed = generator.random(parents.moves.shape) < _CHANGED
    return Futures(
        np.where(changed, fresh.moves, parents.moves),
        np.where(changed, fresh.dashes, parents.dashes),
    )


@dataclass(frozen=True)
class Played:
    """n futures with what each is worth and the actions with which it begins.

    Attributes:
        futures: The futures.
        worth: (n,), more is better.
        actions: (n, hold, 5) float32: those of the first segment.
    """

    futures: Futures
    worth: NDArray[np.float64]
    actions: NDArray[np.float32]

    def best(self, count: int) -> Played:
        """The best of them, best first; among equals the earlier."""
        rows = np.argsort(-self.worth, kind="stable")[:count]
        return Played(self.futures[rows], self.worth[rows], self.actions[rows])

    def then(self, others: Played) -> Played:
        """These, followed by others."""
        return Played(
            self.futures.then(others.futures),
            np.concatenate([self.worth, others.worth]),
            np.concatenate([self.actions, others.actions]),
        )


class Worth:
    """Adds up what happens in each arena of a batch from a moment on."""

    def __init__(self, arenas: NDArray[np.void]) -> None:
        """Begins at the moment that the arenas are in.

        Args:
            arenas: (n,) records, all of the same moment.
        """
        self._sum = np.zeros(len(arenas))
        self._last = _standing(arenas)

    def add(self, arenas: NDArray[np.void], share: float) -> None:
        """Counts what has happened since the last call.

        Args:
            arenas: (n,) records.
            share: Share of the horizon that has gone by.
        """
        now = _standing(arenas)
        self._sum += (now - self._last) * (1.0 - _IMPATIENCE * share)
        self._sum -= _SQUEEZE * _crowding(arenas)
        self._last = now

    def total(self, arenas: NDArray[np.void], stage: StageRecord) -> NDArray[np.float64]:
        """(n,): all that was counted, and how good the moment is that the arenas are in."""
        player = arenas["player"]
        rim = np.maximum(np.abs(player["x"]) - 0.5 * stage.width + _RIM[0], 0.0)
        rim += np.maximum(np.abs(player["z"]) - 0.5 * stage.depth + _RIM[0], 0.0)
        ready = player["dash_cooldown"] == 0
        total: NDArray[np.float64] = self._sum - _crowding(arenas) - _RIM[1] * rim + _DASH * ready
        return total


def _standing(arenas: NDArray[np.void]) -> NDArray[np.float64]:
    """(n,): what has been achieved so far."""
    statistics, outcome = arenas["statistics"], arenas["outcome"]
    gained = (
        _LIFE * arenas["player"]["hp"] + _HIT * statistics["hits"] + _SCORE * statistics["score"]
    )
    ended = _END * (outcome == VICTORY) - _END * (outcome == DEFEAT)
    standing: NDArray[np.float64] = gained + ended
    return standing


def _crowding(arenas: NDArray[np.void]) -> NDArray[np.float64]:
    """(n,): how near enemies are, each feared in its own way."""
    player, enemies = arenas["player"], arenas["enemies"]
    kinds = enemies["kind"]
    dx = enemies["x"] - player["x"][:, None]
    dz = enemies["z"] - player["z"][:, None]
    gap = np.sqrt(dx * dx + dz * dz) - RADIUS[kinds] - PLAYER_RADIUS
    near = _FEAR[kinds] * np.exp(-np.maximum(gap, 0.0) / _BERTH[kinds])
    crowding: NDArray[np.float64] = near.sum(axis=1)
    return crowding


class Aim:
    """Keeps a target for each arena of a batch until it is told to choose again."""

    def __init__(self, count: int) -> None:
        """Makes one that has no targets yet.

        Args:
            count: How many arenas.
        """
        self._rows = np.arange(count)
        self._targets = np.zeros(count, dtype=np.int64)

    def choose(self, arenas: NDArray[np.void], stage: StageRecord) -> None:
        """Chooses which enemy to shoot in each arena: the nearest, eagerness and walls considered.

        Args:
            arenas: (n,) records.
            stage: The stage that they are on.
        """
        player, enemies = arenas["player"], arenas["enemies"]
        dx = enemies["x"] - player["x"][:, None]
        dz = enemies["z"] - player["z"][:, None]
        kinds = enemies["kind"]
        far = np.sqrt(dx * dx + dz * dz) - _EAGERNESS[kinds]
        far[kinds == 0] = np.inf
        far += _HIDDEN * _hidden(stage, player, dx, dz)
        self._targets = far.argmin(axis=1)

    def sticks(self, arenas: NDArray[np.void]) -> NDArray[np.float64]:
        """(n, 2): full sticks to where a shot would meet each target; at rest without one."""
        player = arenas["player"]
        target = arenas["enemies"][self._rows, self._targets]
        dx, dz = target["x"] - player["x"], target["z"] - player["z"]
        seconds = np.minimum(np.sqrt(dx * dx + dz * dz), RANGE) / SHOT_SPEED
        x, z = dx + target["vx"] * seconds, dz + target["vz"] * seconds
        length = np.sqrt(x * x + z * z)
        length[(length < 1e-6) | (target["kind"] == 0)] = np.inf
        return np.stack([x / length, z / length], axis=1)


def _hidden(
    stage: StageRecord, player: NDArray[np.void], dx: NDArray[np.float64], dz: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """(n, enemies): whether a wall lies between the player and each enemy."""
    middle = 0.5 * (DISTANCE_NODES - 1) + 0.5
    x = player["x"][:, None, None] + dx[..., None] * _LOOKS
    z = player["z"][:, None, None] + dz[..., None] * _LOOKS
    column = (x * stage.columns_per_metre + middle).astype(np.int64)
    row = (z * stage.rows_per_metre + middle).astype(np.int64)
    last = DISTANCE_NODES - 1
    gaps = stage.distance[np.clip(row, 0, last), np.clip(column, 0, last)]
    hidden: NDArray[np.bool_] = np.any(gaps < _SLIM, axis=2)
    return hidden


class Search:
    """Arenas of its own, in which futures are played; the game that they start from is another."""

    def __init__(self, settings: Settings, options: PlannerOptions) -> None:
        """Makes the arenas.

        Args:
            settings: Of the game that is to be played.
            options: How far to look, and at how many futures.
        """
        self.options = options
        self._arenas = Arenas(settings, count=options.candidates)
        self._actions = np.zeros((options.horizon, options.candidates, ACTION_LENGTH), np.float32)
        self._aim = Aim(options.candidates)

    def best(self, state: bytes, last: Futures | None, generator: np.random.Generator) -> Played:
        """The best future found, alone.

        Args:
            state: A saved state of the game; see `Arenas.save`.
            last: The future that was best a segment ago; None: there is none.
            generator: For what is drawn.

        Raises:
            ValueError: If the state is of other stages or of another engine.
        """
        options = self.options
        found = self._play(state, self._first(last, generator))
        for _ in range(options.rounds - 1):
            parents = found.best(_PARENTS)
            heirs = varied(parents.futures, options.candidates, generator)
            found = parents.then(self._play(state, heirs))
        return found.best(1)

    def _first(self, last: Futures | None, generator: np.random.Generator) -> Futures:
        """What a search begins with: what was planned, straight ways, and drawn ones."""
        segments, count = self.options.segments, self.options.candidates
        futures = straight(segments)
        if last is not None:
            going_on = last.later()
            futures = going_on.then(futures).then(varied(going_on, _HEIRS, generator))
        missing = max(count - len(futures), 0)
        return futures.then(drawn(missing, segments, generator))[:count]

    def _play(self, state: bytes, futures: Futures) -> Played:
        """Plays as many futures as there are arenas to the horizon."""
        arenas, horizon, hold = self._arenas, self.options.horizon, self.options.hold
        arenas.restore(0, state)
        arenas.records[:] = arenas.records[0]
        stage = arenas.campaign[arenas.records[0].stage]
        worth = Worth(arenas.records)
        for step in range(horizon):
            segment, within = divmod(step, hold)
            if within == 0:
                self._aim.choose(arenas.records, stage)
            self._act(step, futures.moves[:, segment], futures.dashes[:, segment] & (within == 0))
            if within == hold - 1:
                worth.add(arenas.records, (step + 1) / horizon)
        begun = self._actions[:hold].swapaxes(0, 1).copy()
        return Played(futures, worth.total(arenas.records, stage), begun)

    def _act(self, step: int, moves: NDArray[np.int64], dashes: NDArray[np.bool_]) -> None:
        """Moves every arena on by one step, aiming as it goes."""
        # Rounded to float32 as the game's own actions are, so that what is foreseen happens.
        actions = self._actions[step]
        actions[:, :2] = STICKS[moves]
        actions[:, 2:4] = self._aim.sticks(self._arenas.records)
        actions[:, 4] = dashes
        self._arenas.step(actions)


# The game draws its keys from a generator seeded with the bare seed; the planner's is another.
_STREAM = 2


class PlannerAgent:
    """Knows the whole state and the rules, so it is a measure and a tutor, no fair opponent.

    It plays candidate futures of held moves to its horizon, each with the gun on the nearest
    target, and plays the first actions of the best; then it plans again.
    """

    needs = ("saved",)

    def __init__(self, options: PlannerOptions | None = None) -> None:
        """Prepares a planner that knows no game yet.

        Args:
            options: How far it looks, and at how many futures; None: the defaults.
        """
        self.options = options or PlannerOptions()
        usual = self.options == PlannerOptions()
        self.name = "planner" if usual else f"planner, {self.options.name}"
        self._search: Search | None = None
        self._generators: dict[int, np.random.Generator] = {}
        self._last: dict[int, Futures] = {}
        self._ahead: dict[int, deque[NDArray[np.float32]]] = {}
        self._looked: frozenset[int] = frozenset()

    @classmethod
    def from_source(cls, text: str = "") -> Self:
        """A planner from what a command line says: "?horizon=24&candidates=32".

        Raises:
            ValueError: If an option is unknown or not allowed.
        """
        return cls(PlannerOptions.parsed(text))

    def prepare(self, plan: Plan, folder: Path | None, *, episodes: int) -> None:
        """A rollout begins: learns the stages, the frame skip and all other settings.

        Args:
            plan: What is to be played.
            folder: Not used; nothing is kept.
            episodes: Not used.
        """
        self._search = Search(plan.settings, self.options)

    def reset(self, arenas: Sequence[int], seed: int | None) -> None:
        """Forgets its plans in these arenas and seeds the generator of each."""
        for arena in arenas:
            entropy = None if seed is None else (seed, _STREAM)
            self._generators[arena] = np.random.default_rng(entropy)
            self._ahead[arena] = deque()
            self._last.pop(arena, None)

    def act(self, observations: Observations, arenas: Sequence[int]) -> NDArray[np.float32]:
        """One action for each arena, (n, 5); plans where the last plan's actions are played.

        Raises:
            ValueError: If no rollout has told it the game.
        """
        looked = [arena for arena in arenas if not self._ahead[arena]]
        for arena, state in zip(arenas, observations.saved, strict=True):
            if not self._ahead[arena]:
                self._plan(arena, state)
        self._looked = frozenset(looked)
        return np.array([self._ahead[arena].popleft() for arena in arenas], dtype=np.float32)

    def was_queried(self, arenas: Sequence[int]) -> list[bool]:
        """In which of these arenas the last `act` planned again."""
        return [arena in self._looked for arena in arenas]

    def close(self) -> None:
        """Lets go of the arenas that it plays its futures in."""
        self._search = None

    def _plan(self, arena: int, state: bytes) -> None:
        if self._search is None:
            raise ValueError("The planner plays under `rollout`, which tells it the game first.")
        best = self._search.best(state, self._last.get(arena), self._generators[arena])
        self._last[arena] = best.futures
        self._ahead[arena].extend(best.actions[0])
