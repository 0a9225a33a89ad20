"""`SB3Agent`: plays a policy that Stable-Baselines3 trained, read from a file of `save_policy`."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.distributions import Categorical, Normal

from arena_breaker_agents.expert import HeldActions
from arena_breaker_agents.registry import flag, split_options
from arena_breaker_gym.batch.observation import TABLES
from arena_breaker_gym.rollout.agent import Observations
from arena_breaker_gym.rollout.episode import Plan
from arena_breaker_gym.sb3.layers import made_layers
from arena_breaker_gym.sb3.policy_file import SavedPolicy, load_policy
from arena_breaker_gym.settings import Settings

_SEES = {
    "state": ("state",),
    "flat": ("state",),
    "pixels": ("pixels",),
    "both": ("state", "pixels"),
}
_OPTIONS = {"sampled": flag}


class SB3Agent:
    """Decides as often as it did in training, and holds each action until the next decision.

    It needs the state or the pixels, as its policy does, and takes preprocessing, layers and frame
    skip from the policy's file.
    """

    def __init__(self, saved: SavedPolicy, *, name: str = "sb3", sampled: bool = False) -> None:
        """Takes over a policy.

        Args:
            saved: What its file holds.
            name: Stands in tables and episodes.
            sampled: Whether it draws its actions, as in training, instead of taking the likeliest.
        """
        self.name = name
        self.needs = _SEES[saved.settings.observation]
        self._saved = saved
        self._sampled = sampled
        self._policy = _doubled(saved.policy)
        self._layers = made_layers(saved.layers, saved.tensors)
        self._generators: dict[int, np.random.Generator] = {}
        # Until a rollout says what is played, steps are the usual ones.
        steps = math.gcd(saved.settings.frame_skip, Settings().frame_skip)
        self._play(replace(saved.settings, frame_skip=steps, stages=None))

    @classmethod
    def from_file(cls, path: str | Path, **options: Any) -> Self:
        """An agent of a file that `save_policy` wrote, named after it.

        Raises:
            PolicyFileError: If it is no such file.
        """
        return cls(load_policy(path), **{"name": Path(path).stem, **options})

    @classmethod
    def from_source(cls, source: str) -> Self:
        """An agent of what a command line names: "model.zip" or "model.zip?sampled=true".

        Raises:
            ValueError: If an option is unknown or its value bad.
            PolicyFileError: If it is no file of a policy.
        """
        place, options, said = split_options(source, _OPTIONS)
        agent = cls.from_file(place, **options)
        if said:  # other settings are another player
            agent.name = f"{agent.name}?{said}"
        return agent

    @property
    def pixel_size(self) -> int | None:
        """As of `FixedPixels`."""
        return self._saved.settings.pixel_size if "pixels" in self.needs else None

    def prepare(self, plan: Plan, folder: Path | None, *, episodes: int) -> None:
        """Fits itself to the game that is to be played.

        Raises:
            ValueError: If decisions would not fall on steps of it, or its pixels have another size.
        """
        self._play(plan.settings)

    def reset(self, arenas: Sequence[int], seed: int | None) -> None:
        """Lets go of held actions and frames, and seeds what it draws."""
        for layer in self._layers:
            layer.reset(arenas)
        for arena in arenas:
            self._generators[arena] = np.random.default_rng(seed)
        self._held.reset(arenas)

    def act(self, observations: Observations, arenas: Sequence[int]) -> NDArray[np.float32]:
        """One action for each arena, (n, 5)."""

        def decide(rows: list[int]) -> NDArray[np.float32]:
            return self._decide(self._shown(observations, rows), [arenas[row] for row in rows])

        return self._held.act(arenas, decide)

    def was_queried(self, arenas: Sequence[int]) -> Sequence[bool]:
        """Whether the last `act` decided again in these arenas."""
        return self._held.decided(arenas)

    def close(self) -> None:
        """Holds nothing that needs closing."""

    def _play(self, settings: Settings) -> None:
        """Fits itself to a game."""
        own = self._saved.settings
        hold = HeldActions.steps_of(self.name, own.frame_skip, settings.frame_skip)
        if "pixels" in self.needs and settings.pixel_size != own.pixel_size:
            raise ValueError(
                f"{self.name} sees {own.pixel_size} pixels a side: "
                f"play it with pixel_size={own.pixel_size}, not {settings.pixel_size}."
            )
        self._held = HeldActions(hold)
        game = replace(own, stages=settings.stages)
        self._preprocessor = self._saved.preprocessing.made_for(game)

    def _shown(self, observations: Observations, rows: list[int]) -> object:
        """What some of the arenas show, as the environment would."""
        if self.needs == ("pixels",):
            return observations.pixels[rows]
        shown: dict[str, NDArray[Any]] = {k: v[rows] for k, v in observations.state.items()}
        if self._saved.settings.observation == "flat":
            return np.concatenate([shown[name].reshape(len(rows), -1) for name in TABLES], axis=1)
        if "pixels" in self.needs:
            shown["pixels"] = observations.pixels[rows]
        return shown

    def _decide(self, shown: object, arenas: Sequence[int]) -> NDArray[np.float32]:
        seen = self._preprocessor.observe(shown)
        for layer in self._layers:
            seen = layer(seen, arenas)
        with torch.no_grad():
            distribution = self._policy.get_distribution(_tensors(seen))
        if self._sampled:
            chosen = self._drawn(distribution.distribution, arenas)
        else:
            chosen = distribution.mode().numpy()
        if chosen.dtype.kind == "f":
            chosen = chosen.clip(-1.0, 1.0).astype(np.float32)
        return self._preprocessor.act(chosen, shown)

    def _drawn(self, distribution: Any, arenas: Sequence[int]) -> NDArray[Any]:
        """Draws with each arena's own generator, so that other arenas change nothing."""
        generators = [self._generators[arena] for arena in arenas]
        if isinstance(distribution, Normal):
            mean = distribution.mean.numpy()
            noise = np.stack([one.standard_normal(mean.shape[1]) for one in generators])
            moved: NDArray[Any] = mean + distribution.stddev.numpy() * noise
            return moved
        heads: Sequence[Categorical] = (
            distribution if isinstance(distribution, list) else [distribution]
        )
        drawn = []
        for head in heads:
            logits = head.logits.numpy()
            noise = np.stack([one.gumbel(size=logits.shape[1]) for one in generators])
            drawn.append((logits + noise).argmax(axis=1))
        return np.stack(drawn, axis=1)


def _doubled(policy: Any) -> Any:
    """A policy that computes in double precision.

    In single precision a row's last bits depend on how many rows there are, and with them, once in
    a long while, a choice: an episode would depend on what else is played beside it.
    """
    policy = policy.double()
    for extractor in {policy.features_extractor, policy.pi_features_extractor}:
        extractor.register_forward_pre_hook(_to_double)
    return policy


def _to_double(extractor: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(
        {name: table.double() for name, table in one.items()}
        if isinstance(one, dict)
        else one.double()
        for one in arguments
    )


def _tensors(seen: Any) -> Any:
    """Arrays as tensors, pictures with channels first."""
    if isinstance(seen, dict):
        return {name: _tensors(one) for name, one in seen.items()}
    if seen.dtype == np.uint8:
        seen = np.ascontiguousarray(seen.transpose(0, 3, 1, 2))
    return torch.from_numpy(np.ascontiguousarray(seen))
