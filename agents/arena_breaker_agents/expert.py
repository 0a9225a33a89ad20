"""`ExpertAgent`: a trained state policy that comes with the package; NumPy alone plays it.

`examples/train_expert.py` trains it and `expert_policy/README.md` is its model card. It is a tutor,
a giver of labels and an opponent.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym._runtime.files import written_whole
from arena_breaker_gym._runtime.stored import Arrays, json_in, open_stored
from arena_breaker_gym.batch.arenas import ACTION_LENGTH
from arena_breaker_gym.rollout.agent import Observations
from arena_breaker_gym.rollout.episode import Plan
from arena_breaker_gym.settings import Settings
from arena_breaker_gym.wrappers.preprocessing import PreprocessingConfig

SHIPPED = Path(__file__).parent / "expert_policy" / "expert.npz"

FORMAT = "arena-breaker-expert"
_HEADS = 2  # a move and a target
_MOST_BYTES = 2**26


class HeldActions:
    """Holds each arena's action for some steps, then asks for a new one."""

    def __init__(self, steps: int) -> None:
        """Holds nothing yet.

        Args:
            steps: For how many steps an action is held.
        """
        self._steps = steps
        self._held: dict[int, NDArray[np.float32]] = {}
        self._left: dict[int, int] = {}  # steps for which an action is still held
        self._decided: set[int] = set()

    @staticmethod
    def steps_of(name: str, own: int, game: int) -> int:
        """For how many steps an agent holds an action.

        Args:
            name: The agent's.
            own: Ticks between two of its decisions.
            game: Ticks of a step.

        Raises:
            ValueError: If decisions would not fall on steps.
        """
        if own % game:
            raise ValueError(
                f"{name} decides every {own} ticks, which {game} ticks a step do not divide."
            )
        return own // game

    def reset(self, arenas: Sequence[int]) -> None:
        """Lets go of these arenas' actions."""
        for arena in arenas:
            self._left[arena] = 0

    def act(
        self, arenas: Sequence[int], decide: Callable[[list[int]], NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        """One action for each arena, (n, 5).

        Args:
            arenas: Numbers of the n arenas.
            decide: Gives new actions, (m, 5), for some rows of the n.
        """
        due = [row for row, arena in enumerate(arenas) if self._left.get(arena, 0) == 0]
        self._decided = {arenas[row] for row in due}
        if due:
            for row, action in zip(due, decide(due), strict=True):
                self._held[arenas[row]], self._left[arenas[row]] = action, self._steps
        for arena in arenas:
            self._left[arena] -= 1
        return np.array([self._held[arena] for arena in arenas]).reshape(-1, ACTION_LENGTH)

    def decided(self, arenas: Sequence[int]) -> list[bool]:
        """In which of these arenas the last `act` decided again."""
        return [arena in self._decided for arena in arenas]


class ExpertFileError(ValueError):
    """A file that holds no expert."""


class Layer(NamedTuple):
    """A linear layer.

    Attributes:
        weight: (in, out) float64.
        bias: (out,) float64.
    """

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]


@dataclass(frozen=True)
class StatePolicy:
    """A multi-layer perceptron over the senses; it chooses a move and a target.

    Attributes:
        preprocessing: Through what it sees and plays.
        frame_skip: Ticks between two of its decisions.
        layers: ReLU lies between them.
    """

    preprocessing: PreprocessingConfig
    frame_skip: int
    layers: tuple[Layer, ...]

    @classmethod
    def load(cls, path: str | Path = SHIPPED) -> Self:
        """Reads what `export_policy` wrote.

        Raises:
            ExpertFileError: If there is no such file, or it is damaged or something else.
        """
        try:
            about, arrays = _read(Path(path))
            preprocessing = PreprocessingConfig.from_dict(about["kit"])
            layers = _layers(arrays)
            policy = cls(preprocessing, int(about["frame_skip"]), layers)
            policy.check_fit()
        except FileNotFoundError:
            raise ExpertFileError(f"There is no expert at {path}.") from None
        # A damaged file can make its readers fail in any way; none is worth telling apart.
        except Exception:
            raise ExpertFileError(f"{path} is damaged, or holds no expert.") from None
        return policy

    def check_fit(self) -> None:
        """Sees to it that the layers read the senses and score every choice.

        Raises:
            ValueError: If they do not.
        """
        game = Settings(observation="state", frame_skip=self.frame_skip)
        space = self.preprocessing.made_for(game)
        senses, choices = space.observation_space.shape, getattr(space.action_space, "nvec", ())
        scores = len(self.layers[-1].bias)
        if senses != self.layers[0].weight.shape[:1] or scores != sum(choices):
            raise ValueError("the layers are for other senses or choices")
        if len(choices) != _HEADS:
            raise ValueError("another number of choices")

    def logits(self, senses: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scores of all choices, moves before targets: (n, 279) to (n, choices).

        In double precision, so that a choice does not depend on how many rows there are.
        """
        hidden = senses.astype(np.float64)
        for layer in self.layers[:-1]:
            hidden = np.maximum(hidden @ layer.weight + layer.bias, 0.0)
        last = self.layers[-1]
        scores: NDArray[np.float64] = hidden @ last.weight + last.bias
        return scores

    def choices(self, senses: NDArray[np.float32]) -> NDArray[np.int64]:
        """The likeliest move and target of each row: (n, 2)."""
        moves = 2 * self.preprocessing.headings + 1
        scores = self.logits(senses)
        best = [scores[:, :moves].argmax(axis=1), scores[:, moves:].argmax(axis=1)]
        return np.stack(best, axis=1)


class Verdict(NamedTuple):
    """What the expert thinks of some states.

    Attributes:
        move: (n, moves) float32, scores of its moves: logits of its distribution.
        aim: (n, 2) float32, its aim stick.
        senses: (n, 279) float32, what it decides by.
    """

    move: NDArray[np.float32]
    aim: NDArray[np.float32]
    senses: NDArray[np.float32]


class ExpertAgent:
    """Reads the state, decides ten times a second, and holds each action until the next."""

    needs = ("state",)

    def __init__(self, policy: StatePolicy | None = None, *, name: str = "expert") -> None:
        """Takes over a policy.

        Args:
            policy: None: the shipped one.
            name: Stands in tables and episodes.
        """
        self.name = name
        self._policy = policy or StatePolicy.load()
        self._play(Settings(frame_skip=math.gcd(self._policy.frame_skip, Settings().frame_skip)))

    @classmethod
    def from_source(cls, path: str = "") -> Self:
        """The shipped expert, or one of a file that `export_policy` wrote.

        Raises:
            ExpertFileError: If the file holds none.
        """
        return cls(StatePolicy.load(path), name=f"expert:{Path(path).stem}") if path else cls()

    def prepare(self, plan: Plan, folder: Path | None, *, episodes: int) -> None:
        """Fits itself to the game that is to be played.

        Raises:
            ValueError: If decisions would not fall on steps of it.
        """
        self._play(plan.settings)

    def reset(self, arenas: Sequence[int], seed: int | None) -> None:
        """Lets go of held actions; it draws nothing."""
        self._held.reset(arenas)

    def act(self, observations: Observations, arenas: Sequence[int]) -> NDArray[np.float32]:
        """One action for each arena, (n, 5)."""

        def decide(rows: list[int]) -> NDArray[np.float32]:
            return self._decide({name: table[rows] for name, table in observations.state.items()})

        return self._held.act(arenas, decide)

    def was_queried(self, arenas: Sequence[int]) -> Sequence[bool]:
        """Whether the last `act` decided again in these arenas."""
        return self._held.decided(arenas)

    def close(self) -> None:
        """Holds nothing that needs closing."""

    def verdict(self, state: Mapping[str, NDArray[np.float32]]) -> Verdict:
        """All that a student may learn from beside its actions; the agent's memory stays as it is.

        Args:
            state: Tables of n arenas, as in `Observations.state`.
        """
        senses = self._preprocessor.observe(state)
        moves = 2 * self._policy.preprocessing.headings + 1
        scores = self._policy.logits(senses)[:, :moves].astype(np.float32)
        return Verdict(scores, self._decide(state)[:, 2:4], senses)

    def _play(self, settings: Settings) -> None:
        hold = HeldActions.steps_of(self.name, self._policy.frame_skip, settings.frame_skip)
        self._held = HeldActions(hold)
        own = replace(settings, observation="state", frame_skip=self._policy.frame_skip)
        self._preprocessor = self._policy.preprocessing.made_for(own)

    def _decide(self, state: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        chosen = self._policy.choices(self._preprocessor.observe(state))
        return self._preprocessor.act(chosen, state)


def export_policy(model: Path, path: Path) -> None:
    """Writes what is needed to play a trained policy without PyTorch.

    Args:
        model: A file of `arena_breaker_gym.sb3.save_policy`: PPO with an MLP and preprocessing.
        path: The file to be written, whole or not at all.
    """
    from arena_breaker_gym.sb3.policy_file import load_policy

    saved = load_policy(model)
    weights = {name: one.detach().numpy() for name, one in saved.policy.state_dict().items()}
    hidden = [name.removesuffix(".weight") for name in weights if "policy_net" in name]
    arrays: dict[str, Any] = {}
    for number, name in enumerate([*dict.fromkeys(_stems(hidden)), "action_net"]):
        arrays[f"weight.{number}"] = weights[f"{name}.weight"].T.astype(np.float32)
        arrays[f"bias.{number}"] = weights[f"{name}.bias"].astype(np.float32)
    about = {
        "format": FORMAT,
        "kit": saved.preprocessing.to_dict(),
        "frame_skip": saved.settings.frame_skip,
    }
    with written_whole(path) as part, part.open("wb") as file:
        np.savez(file, **{"about": np.array(json.dumps(about)), **arrays})


def _stems(names: list[str]) -> list[str]:
    return [name.removesuffix(".bias") for name in names]


def _read(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    with open_stored(path) as file, zipfile.ZipFile(file) as archive:
        if sum(one.file_size for one in archive.infolist()) > _MOST_BYTES:
            raise ValueError("larger than any expert")
        stored = Arrays(archive)
        names = [one.removesuffix(".npy") for one in archive.namelist()]
        arrays = {name: stored.read_any(name) for name in names}
    about = json_in(str(arrays.pop("about")))
    if about["format"] != FORMAT:
        raise ValueError("another format")
    return about, arrays


def _layers(arrays: Mapping[str, NDArray[Any]]) -> tuple[Layer, ...]:
    count = len(arrays) // 2
    layers = tuple(
        Layer(arrays[f"weight.{i}"].astype(np.float64), arrays[f"bias.{i}"].astype(np.float64))
        for i in range(count)
    )
    for layer in layers:
        if layer.weight.ndim != 2 or layer.bias.shape != layer.weight.shape[1:]:
            raise ValueError("shapes do not fit")
    for before, after in pairwise(layers):
        if before.weight.shape[1] != after.weight.shape[0]:
            raise ValueError("layers do not fit")
    if not layers or any(not np.isfinite(one).all() for layer in layers for one in layer):
        raise ValueError("numbers missing")
    return layers
