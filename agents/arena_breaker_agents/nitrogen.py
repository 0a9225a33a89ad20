"""`NitroGenPolicy`: a student that sees pixels only and plays chunks of predicted actions."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from arena_breaker_agents.registry import flag, split_options
from arena_breaker_gym.deprecated import old_keyword, warn
from arena_breaker_gym.rollout.agent import AgentFactory, Observations, SendRequest
from nitrogen_adapter import checkpoint, gamepad
from nitrogen_adapter.gamepad import DEFAULT_GAMEPAD, GamepadSettings
from nitrogen_adapter.inference import (
    N_ACTION_STEPS,
    ChunkPredictor,
    LocalPredictor,
    PackedPredictor,
)
from nitrogen_adapter.model import NitroGen
from nitrogen_adapter.presets import SHIPPED

REMOTE = "tcp://"

DTYPES = ("float32", "bfloat16", "float16")

_Actions = deque[NDArray[np.float32]]


def _dtype(text: str) -> torch.dtype:
    if text not in DTYPES:
        raise ValueError(f"expected one of {', '.join(DTYPES)}")
    found: torch.dtype = getattr(torch, text)
    return found


# What may stand after the question mark.
OPTIONS: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {
        "n_action_steps": int,
        "hud": flag,
        "steps": int,
        "guidance": float,
        "quiet": flag,
        "game": str,
        "device": str,
        "dtype": _dtype,
        "compile": flag,
    }
)

# Which of these are the player's own; all others a server decides itself.
_PLAYERS_OWN = ("n_action_steps", "hud")

# What an option was called once.
OLD_NAMES: Mapping[str, str] = MappingProxyType({"execute": "n_action_steps"})


@dataclass(frozen=True)
class AgentSource:
    """A checkpoint file or a server, with options.

    Attributes:
        place: The file, or "tcp://host:port".
        options: By name, those of `NitroGenPolicy` and `LocalPredictor` that were given.
        said: The options as they were written, for the player's name.
    """

    place: str
    options: Mapping[str, Any]
    said: str

    @property
    def remote(self) -> bool:
        """Whether a server predicts."""
        return self.place.startswith(REMOTE)

    @classmethod
    def parsed(cls, text: str) -> Self:
        """Reads "ng.pt", "tcp://host:5555" or "ng.pt?n_action_steps=12&dtype=bfloat16".

        Raises:
            ValueError: If an option is unknown, or its value is none for it.
        """
        remote = text.startswith(REMOTE)
        names = [*(_PLAYERS_OWN if remote else OPTIONS), *OLD_NAMES]
        readers = {name: OPTIONS[OLD_NAMES.get(name, name)] for name in names}
        place, options, said = split_options(text, readers)
        for old in OLD_NAMES.keys() & options.keys():
            warn(f"{old}=", f"{OLD_NAMES[old]}=")
            options[OLD_NAMES[old]] = options.pop(old)
        return cls(place, options, said)


class NitroGenPolicy:
    """Looks, predicts a chunk of 18 actions, plays `n_action_steps` of them, looks again.

    All arenas that need a new chunk share one forward pass, here or on a server. Where a rollout
    charges for thinking, the rest of the old chunk goes on until the new one is there.
    """

    def __init__(
        self,
        student: NitroGen | ChunkPredictor,
        *,
        name: str | None = None,
        n_action_steps: int | None = None,
        buttons: GamepadSettings = DEFAULT_GAMEPAD,
        hud: bool = False,
        **options: Any,
    ) -> None:
        """Wraps what predicts.

        Args:
            student: A model, or a predictor that is ready to be asked.
            name: Stands in tables and episodes; None: the predictor's own.
            n_action_steps: How many of a chunk's actions are played before the next look, 1 to 18;
                None: as suits the model, 3 for the laptop student and 9 for others.
            buttons: How actions lie on the gamepad.
            hud: Whether it sees the HUD that people see over the game.
            options: For a model: those of `LocalPredictor` (steps, guidance, quiet, device, …).

        Raises:
            ValueError: If `n_action_steps` is more than a chunk holds, or less than one.
        """
        n_action_steps = old_keyword(options, "execute", "n_action_steps", n_action_steps)
        if isinstance(student, NitroGen):
            student = LocalPredictor(student, **options)
        elif options:
            raise ValueError(f"A predictor has its options already; it takes no {[*options]}.")
        if n_action_steps is None:
            n_action_steps = _suited_steps(student)
        if not 1 <= n_action_steps <= student.horizon:
            raise ValueError(
                f"n_action_steps must be from 1 to {student.horizon}, got {n_action_steps}."
            )
        self.predictor = student
        self.name = student.name if name is None else name
        self.n_action_steps = n_action_steps
        self.buttons = replace(buttons, old_layout=False)  # predictors give buttons first
        self.needs: tuple[str, ...] = ("pixels", "hud") if hud else ("pixels",)
        self._ahead: dict[int, _Actions] = {}  # of the newest chunk, before the next look
        self._rest: dict[int, _Actions] = {}  # of the newest chunk, after it
        self._old: dict[int, _Actions] = {}  # of the chunk before
        self._looked: frozenset[int] = frozenset()

    @property
    def pixel_size(self) -> int | None:
        """As of `FixedPixels`; a server does not tell."""
        return self.predictor.pixel_size if isinstance(self.predictor, LocalPredictor) else None

    @classmethod
    def from_checkpoint(cls, path: str | Path, **options: Any) -> Self:
        """A policy from a checkpoint file, on CUDA where there is one.

        Args:
            path: The file; see `nitrogen_adapter.checkpoint`.
            options: Those of this class and of `LocalPredictor`.

        Raises:
            CheckpointError: If the file is no checkpoint.
        """
        device = "cuda" if torch.cuda.is_available() else "cpu"
        model = checkpoint.load(path)
        return cls(model, **{"name": Path(path).stem, "device": device, **options})

    @classmethod
    def from_source(cls, source: str) -> Self:
        """A policy from what a command line names: a checkpoint file, or "tcp://host:port".

        Args:
            source: As `AgentSource.parsed` reads it, so options may follow a question mark; "base"
                is the shipped one.

        Raises:
            ValueError: If an option is unknown or its value bad.
            CheckpointError: If the file is no checkpoint.
            ServerError: If no server answers.
        """
        found = AgentSource.parsed(source)
        if found.remote:
            from nitrogen_adapter.remote.client import RemotePredictor

            policy = cls(RemotePredictor(found.place), **found.options)
        else:
            path = SHIPPED.get(found.place, Path(found.place))
            policy = cls.from_checkpoint(path, **found.options)
        if found.said:  # other settings are another player
            policy.name = f"{policy.name}?{found.said}"
        return policy

    def agent_factory(self) -> AgentFactory:
        """How it is made in another process; see `arena_breaker_gym.rollout.agent`.

        Raises:
            ValueError: If its predictor can predict here only.
        """
        hud = "hud" in self.needs
        return _Factory(_sent(self.predictor), self.name, self.n_action_steps, self.buttons, hud)

    def reset(self, arenas: Sequence[int], seed: int | None) -> None:
        """Drops what is left of these arenas' chunks and seeds their noise."""
        most = self.predictor.max_sessions
        if most is not None and max(arenas) >= most:
            raise ValueError(
                f"{self.name} can play in {most} arenas at once; use num_envs={most} at most."
            )
        self.predictor.reset(arenas, seed)
        for arena in arenas:
            self._ahead[arena], self._rest[arena], self._old[arena] = deque(), deque(), deque()

    def act(self, observations: Observations, arenas: Sequence[int]) -> NDArray[np.float32]:
        """The next action of each arena's chunk, (n, 5)."""
        due = [row for row, arena in enumerate(arenas) if not self._ahead[arena]]
        self._looked = frozenset(arenas[row] for row in due)
        if due:
            self._look(self._frames(observations, due), [arenas[row] for row in due])
        return np.stack([self._ahead[arena].popleft() for arena in arenas])

    def was_queried(self, arenas: Sequence[int]) -> list[bool]:
        """In which of these arenas the last `act` looked again."""
        return [arena in self._looked for arena in arenas]

    def action_while_waiting(self, arenas: Sequence[int]) -> NDArray[np.float32]:
        """What goes on while a new chunk is awaited, (n, 5): the old one, then its last action."""
        return np.stack([_next_of(self._old[arena]) for arena in arenas])

    def close(self) -> None:
        """Lets go of the chunks and of the predictor's sessions."""
        for chunks in (self._ahead, self._rest, self._old):
            chunks.clear()
        self.predictor.close()

    def _frames(self, observations: Observations, rows: list[int]) -> NDArray[np.uint8]:
        """What some arenas show, (n, size, size, 3)."""
        frames: NDArray[np.uint8] = observations.pixels[rows]
        if "hud" not in self.needs:
            return frames
        from arena_breaker_gym.rendering.layers import draw_huds  # with pygame, which few need

        return draw_huds(frames, [observations.hud[row] for row in rows])

    def _look(self, frames: NDArray[np.uint8], arenas: list[int]) -> None:
        """Fetches new chunks for (n, size, size, 3) frames."""
        chunks = gamepad.unpack(self.predictor.predict(frames, arenas), self.buttons)
        for arena, chunk in zip(arenas, chunks, strict=True):
            self._old[arena] = self._rest[arena]
            self._ahead[arena] = deque(chunk[: self.n_action_steps])
            self._rest[arena] = deque(chunk[min(self.n_action_steps, len(chunk) - 1) :])


def _suited_steps(predictor: ChunkPredictor) -> int:
    """How many actions of a chunk suit a model; a server does not tell."""
    own = predictor.n_action_steps if isinstance(predictor, LocalPredictor) else N_ACTION_STEPS
    return min(own, predictor.horizon)


@dataclass(frozen=True)
class _Server:
    """A server's address on its way to another process, which asks it there."""

    address: str
    gpu: bool = False

    def unpacked(self) -> ChunkPredictor:
        from nitrogen_adapter.remote.client import RemotePredictor

        return RemotePredictor(self.address)


@dataclass(frozen=True)
class _Factory:
    """A policy on its way to another process."""

    predictor: PackedPredictor | _Server
    name: str
    n_action_steps: int
    buttons: GamepadSettings
    hud: bool

    @property
    def gpu(self) -> bool:
        return self.predictor.gpu

    def __call__(self, ask: SendRequest) -> NitroGenPolicy:
        predictor = self.predictor.unpacked()
        return NitroGenPolicy(
            predictor,
            name=self.name,
            n_action_steps=self.n_action_steps,
            buttons=self.buttons,
            hud=self.hud,
        )


def _sent(predictor: ChunkPredictor) -> PackedPredictor | _Server:
    if isinstance(predictor, LocalPredictor):
        return predictor.packed()
    address = getattr(predictor, "address", None)
    if address is None:
        raise ValueError(f"{predictor.name} predicts in this process only.")
    return _Server(address)


def _next_of(old: _Actions) -> NDArray[np.float32]:
    """The next action of an old chunk, of which the last stays."""
    if not old:
        return np.zeros(len(gamepad.ACTION), dtype=np.float32)
    return old.popleft() if len(old) > 1 else old[0]
