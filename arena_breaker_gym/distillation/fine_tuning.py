"""`FineTuning`: a distilled student goes on by itself, by what the game rewards.

PPO (Schulman et al. 2017, arXiv 1707.06347) needs how likely an action was, which a flow does not
say. But the small student plays what it denoises from zeros, so Gaussian noise about that is a
policy of which it is known, and whose mean is the student that is measured. (The flow-matching loss
of what was played in place of the likelihood, arXiv 2507.21053, was tried before, with the flow's
own noise: what is played from zeros then made 36 kills where it had made 70, by
`arena-breaker bootcamp --fine-tuning 20`.) Only the action head learns; the vision encoder stays,
so that each frame is looked at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from arena_breaker_gym._runtime.files import Claim, claimed
from arena_breaker_gym._runtime.run_folder import write_json
from arena_breaker_gym._runtime.stored import is_number, is_whole
from arena_breaker_gym.batch.arenas import Arenas
from arena_breaker_gym.distillation.collector import Looks, begin_by_chance
from arena_breaker_gym.loggers import Board
from arena_breaker_gym.settings import MAX_EPISODE_STEPS, Settings
from nitrogen_adapter import checkpoint, gamepad
from nitrogen_adapter.data.features import SEES
from nitrogen_adapter.model import NitroGen
from nitrogen_adapter.training.config import PLAYED
from nitrogen_adapter.vision import normalise

Advance = Callable[[str, float], None]

SEEDS = 20_000_000  # of its games; no seed that is measured
_CRITIC_WIDTH, _CRITIC_PACE = 256, 100.0
_MOST_LOG_RATIO = 3.0  # beyond it a ratio is clipped in any case, and its exponential is unsafe


@dataclass(frozen=True, kw_only=True)
class FineTuningConfig:
    """How a student is fine-tuned; the values are our own.

    Attributes:
        updates: Rounds of play and learning.
        critic_updates: How many of them come first in which the critic alone learns: as long as it
            knows nothing, a student unlearns by it.
        arenas: Arenas side by side.
        looks: How often the student looks in each of them in a round.
        n_action_steps: Actions of a chunk that are played before the next look.
        exploration: Standard deviation of the noise on each number that is played: of a stick from
            end to end, of the dash button's way down.
        epochs: Passes over a round's looks.
        batch_size: Looks in a step of the optimiser.
        learning_rate: Of AdamW.
        clip: How far from 1 a ratio may go before it counts no more.
        discount: Of rewards, from one look to the next.
        smoothing: Lambda of the generalised advantage estimate.
        clip_norm: Longest gradient.
        stages: Episodes begin on one of these by chance.
        seed: Of games, noise and order.
    """

    updates: int = 40
    critic_updates: int = 4
    arenas: int = 64
    looks: int = 64
    n_action_steps: int = 3
    exploration: float = 0.1
    epochs: int = 2
    batch_size: int = 512
    learning_rate: float = 1e-5
    clip: float = 0.2
    discount: float = 0.97
    smoothing: float = 0.95
    clip_norm: float = 0.5
    stages: tuple[int, ...] = (1, 2, 3)
    seed: int = 0


class Looked(NamedTuple):
    """What a round came to: T looks of n arenas.

    Attributes:
        features: (T, n, tokens, C) what the student saw.
        chunks: (T, n, 18, 25) what it played, noise and all.
        likelihoods: (T, n) logarithm of how likely these were, but for a constant.
        rewards: (T, n) until its next look.
        ended: (T, n) whether the episode was over by then.
        values: (T + 1, n) what was expected to come.
    """

    features: Tensor
    chunks: Tensor
    likelihoods: Tensor
    rewards: Tensor
    ended: Tensor
    values: Tensor


class FineTuning:
    """One fine-tuning in one folder; killed, it goes on from its last round to the same bytes.

    The folder gets `fine_tuning.pt` (what goes on), `metrics.jsonl` and `tensorboard/` (rewards by
    round), `model.pt` (the student) and, at the end, `report.json`.
    """

    def __init__(
        self, model: NitroGen, folder: Path, config: FineTuningConfig, *, settings: Settings
    ) -> None:
        """Prepares; nothing is played yet.

        Args:
            model: The student, which learns in place.
            folder: Of the run.
            config: How.
            settings: Of the game; skin and pixel size are what the student sees.
        """
        self.model = model.eval()  # dropout would make an action look unlikely that is not
        self.config = config
        self.folder = folder
        self.update, self.seconds = 0, 0.0
        model.freeze("all")
        self._parameters = [
            parameter
            for name, parameter in model.named_parameters()
            if not name.startswith(tuple(SEES))
        ]
        self._critic = _critic(model, config.seed)
        groups: list[dict[str, object]] = [
            {"params": self._parameters, "lr": config.learning_rate},
            {"params": [*self._critic.parameters()], "lr": _CRITIC_PACE * config.learning_rate},
        ]
        self._optimiser = torch.optim.AdamW(groups, weight_decay=0.0)
        self._noise = torch.Generator()
        self._spread = _played(model, config.n_action_steps) * config.exploration
        self._games = _Games(settings, config)

    @property
    def result(self) -> Path:
        """The checkpoint that comes out."""
        return self.folder / "model.pt"

    def run(self, advance: Advance) -> NitroGen:
        """Goes on to the end, and writes the student.

        Args:
            advance: Called with what is going on and the share done, in [0, 1].

        Raises:
            ValueError: If the folder's fine-tuning is another one or damaged, another run is at
                work there, or the folder is deleted meanwhile.
        """
        with claimed(self.folder) as claim:
            self._resume()
            board = Board(self.folder, step=self.update)
            try:
                self._rounds(board, claim, advance)
            finally:
                board.close()
            checkpoint.save(self.result, self.model)
            write_json(self.folder / "report.json", self._report())
        return self.model

    def _rounds(self, board: Board, claim: Claim, advance: Advance) -> None:
        total = self.config.updates
        while self.update < total:
            reward = self._round(board)
            claim.check()
            board.save()
            self._save()
            advance(f"round {self.update}, reward {reward:.2f} an arena", self.update / total)

    def _report(self) -> dict[str, object]:
        """What stands in every training's report."""
        config = self.config
        examples = self.update * config.arenas * config.looks
        return {
            "parameters": self.model.num_parameters(),
            "trained_parameters": sum(one.numel() for one in self._parameters),
            "examples": examples,
            "steps": -(-examples // config.batch_size) * config.epochs,
            "seconds": round(self.seconds, 1),
            "updates": self.update,
            "scores": {},
        }

    def _round(self, board: Board) -> float:
        began = time.perf_counter()
        self._noise.manual_seed(self.config.seed * 100_003 + self.update)
        self._games.begin_round(self.update)
        looked = self._play()
        self._learn(looked)
        self.update += 1
        self.seconds += time.perf_counter() - began
        reward = float(looked.rewards.sum(0).mean())
        board.note("play", self.update, {"reward": reward})
        return reward

    # ---- play ----

    @torch.no_grad()
    def _play(self) -> Looked:
        rounds = [self._look() for _ in range(self.config.looks)]
        seen = self.model.encode(normalise(self._games.frames())[:, None])
        looked = Looked(*(torch.stack(column) for column in zip(*rounds, strict=True)))
        return looked._replace(values=torch.cat([looked.values, self._value(seen)[None]]))

    def _look(self) -> Looked:
        """One look of n arenas: every array without its T."""
        features = self.model.encode(normalise(self._games.frames())[:, None])
        meant = self._meant(features)
        chunks = meant + self._spread * torch.randn(meant.shape, generator=self._noise)
        rewards, ended = self._games.step(gamepad.unpack(chunks.numpy()))
        return Looked(
            features,
            chunks,
            self._likelihoods(chunks, meant),
            torch.from_numpy(rewards),
            torch.from_numpy(ended),
            self._value(features),
        )

    def _meant(self, features: Tensor) -> Tensor:
        """The (b, 18, 25) chunks that the student plays without noise, denoised from zeros."""
        config, context = self.model.config, self.model.model.context(features)
        rows = torch.zeros((len(features), config.action_horizon, config.action_dim))
        return self.model.denoise(rows, [context], config.num_inference_timesteps)

    def _likelihoods(self, chunks: Tensor, meant: Tensor) -> Tensor:
        """(b,) how likely what is played of chunks is: the logarithm, but for a constant."""
        played = self._spread > 0.0
        off = (chunks - meant)[:, played] / self._spread[played]
        return -0.5 * off.square().sum(1)

    def _value(self, features: Tensor) -> Tensor:
        return cast("Tensor", self._critic(features.flatten(1))).squeeze(-1)

    # ---- learning ----

    def _learn(self, looked: Looked) -> None:
        advantages = advantages_of(looked, self.config.discount, self.config.smoothing)
        returns = (advantages + looked.values[:-1]).flatten()
        flat = (advantages.flatten() - advantages.mean()) / (advantages.std() + 1e-6)
        features, chunks, before = (
            one.flatten(0, 1) for one in (looked.features, looked.chunks, looked.likelihoods)
        )
        for rows in self._orders(len(features)):
            loss = 0.5 * (self._value(features[rows]) - returns[rows]).square().mean()
            if self._student_learns:
                now = self._likelihoods(chunks[rows], self._meant(features[rows]))
                ratio = (now - before[rows]).clamp(-_MOST_LOG_RATIO, _MOST_LOG_RATIO).exp()
                loss = loss + surrogate(ratio, flat[rows], self.config.clip)
            self._step(loss)

    @property
    def _student_learns(self) -> bool:
        return self.update >= self.config.critic_updates

    def _step(self, loss: Tensor) -> None:
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
        for group in self._optimiser.param_groups:
            nn.utils.clip_grad_norm_(group["params"], self.config.clip_norm)
        self._optimiser.step()

    def _orders(self, count: int) -> Iterator[Tensor]:
        for _ in range(self.config.epochs):
            order = torch.randperm(count, generator=self._noise)
            yield from torch.split(order, self.config.batch_size)

    # ---- save and resume ----

    def _save(self) -> None:
        state = {
            "settings": asdict(self.config),
            "update": self.update,
            "seconds": self.seconds,
            "model": self.model.state_dict(),
            "critic": self._critic.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "games": self._games.saved(),
        }
        checkpoint.write(self.folder / "fine_tuning.pt", state)

    def _resume(self) -> None:
        path = self.folder / "fine_tuning.pt"
        if not path.exists():
            return
        state = checkpoint.read(path, expected=("model", "critic", "settings"))
        if state["settings"] != asdict(self.config):
            raise ValueError(f"{path} is of a fine-tuning with other settings.")
        try:
            self._go_on_from(state)
        # What is missing or of another kind makes torch fail in any way.
        except (KeyError, TypeError, AttributeError, RuntimeError, ValueError) as error:
            raise ValueError(
                f"{path} is damaged, or holds no fine-tuning like this one."
            ) from error

    def _go_on_from(self, state: Mapping[str, Any]) -> None:
        update, seconds = state["update"], state.get("seconds", 0.0)
        if not is_whole(update) or not is_number(seconds):
            raise ValueError("The saved fine-tuning does not say how far it came.")
        self.model.load_state_dict(state["model"])
        self._critic.load_state_dict(state["critic"])
        self._optimiser.load_state_dict(state["optimiser"])
        self.update, self.seconds = update, seconds
        if "games" in state:
            self._games.restore(state["games"])
        else:  # as of before games were kept
            self._games.begin_anew(update)


class _Games:
    """The arenas that a student plays in while it is fine-tuned."""

    def __init__(self, settings: Settings, config: FineTuningConfig) -> None:
        self._config = config
        self._looks = Looks(settings, [settings.skin])
        self._arenas = Arenas(settings, count=config.arenas, limit=MAX_EPISODE_STEPS)
        self._skins = np.zeros(config.arenas, dtype=np.int64)
        self.begin_anew(0)

    def begin_anew(self, update: int) -> None:
        """Begins an episode in every arena."""
        self.begin_round(update)
        everyone = np.ones(len(self._arenas), dtype=np.bool_)
        begin_by_chance(self._arenas, everyone, self._random, self._config.stages)

    def begin_round(self, update: int) -> None:
        """Draws anew, so that a round depends on nothing but its number and the games' states."""
        self._random = np.random.default_rng([SEEDS, self._config.seed, update])

    def saved(self) -> Tensor:
        """(n, bytes) the states of all games."""
        states = [self._arenas.save(index) for index in range(len(self._arenas))]
        return torch.from_numpy(np.stack([np.frombuffer(one, np.uint8) for one in states]))

    def restore(self, states: Tensor) -> None:
        """Puts back what `saved` gave.

        Raises:
            ValueError: If they are damaged, or of other stages.
        """
        for index, state in zip(range(len(self._arenas)), states.numpy(), strict=True):
            self._arenas.restore(index, state.tobytes())

    def frames(self) -> NDArray[np.uint8]:
        """(n, size, size, 3) what is to be seen."""
        return self._looks.draw(self._arenas.records, self._skins)

    def step(self, chunks: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Plays the first actions of (n, 18, 5) chunks: (n,) float32 rewards, (n,) who ended."""
        arenas = self._arenas
        playing = np.ones(len(arenas), dtype=np.bool_)
        rewards = np.zeros(len(arenas), dtype=np.float32)
        for step in range(self._config.n_action_steps):
            arenas.step(chunks[:, step], playing)
            rewards += np.where(playing, arenas.rewards, 0.0).astype(np.float32)
            playing &= ~(arenas.terminated | arenas.truncated)
        if not playing.all():
            begin_by_chance(arenas, ~playing, self._random, self._config.stages)
        return rewards, ~playing


def advantages_of(looked: Looked, discount: float, smoothing: float) -> Tensor:
    """Generalised advantage estimates (T, n) (Schulman et al. 2015, arXiv 1506.02438)."""
    going_on = 1.0 - looked.ended.float()
    found = torch.zeros_like(looked.rewards)
    running = torch.zeros_like(looked.rewards[0])
    for step in range(len(found) - 1, -1, -1):
        coming = discount * going_on[step]
        surprise = looked.rewards[step] + coming * looked.values[step + 1] - looked.values[step]
        running = surprise + smoothing * coming * running
        found[step] = running
    return found


def surrogate(ratio: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """PPO's clipped surrogate as a loss: a scalar of (b,) ratios and advantages."""
    clipped = ratio.clamp(1.0 - clip, 1.0 + clip)
    return -torch.minimum(ratio * advantages, clipped * advantages).mean()


def _critic(model: NitroGen, seed: int) -> nn.Module:
    inputs = model.config.max_sequence_length * model.config.vision.hidden_size
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Linear(inputs, _CRITIC_WIDTH), nn.ReLU(), nn.Linear(_CRITIC_WIDTH, 1)
        )


def _played(model: NitroGen, steps: int) -> Tensor:
    """(18, 25): 1 for what of a chunk is played, 0 for the rest."""
    names = gamepad.layout(old_layout=model.config.old_layout).names
    played = torch.zeros(model.config.action_horizon, len(names))
    played[:steps] = torch.tensor([float(name in PLAYED) for name in names])
    return played
