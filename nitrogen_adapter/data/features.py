"""`cache_features`: every frame is looked at once, for trainings with a frozen vision encoder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nitrogen_adapter.data.examples import ArrayExamples, Batch, Examples, batches
from nitrogen_adapter.data.feature_store import Column, FeatureStore
from nitrogen_adapter.model import NitroGen
from nitrogen_adapter.vision import normalise

SEES = ("vision_encoder.", "vl_self_attention_model.", "game_embedding.")
"""How the names of the parameters begin that features depend on."""


@runtime_checkable
class Fingerprinted(Protocol):
    """Examples that can be told from others, so that features of them can be kept."""

    def fingerprint(self) -> str:
        """Return a digest of all that the examples depend on."""
        ...


def cache_features(
    model: NitroGen,
    examples: Examples,
    *,
    mirror: bool = False,
    attended: bool = True,
    game: str | int | None = None,
    batch_size: int = 50,
    workers: int = 0,
    on_batch: Callable[[int, int], None] | None = None,
    folder: str | Path | None = None,
) -> ArrayExamples:
    """Let a model look at every frame once, for a training with a frozen vision encoder.

    Args:
        model: what looks.
        examples: frames and actions.
        mirror: whether to append every example's mirror image.
        attended: whether the frames' tokens have attended to each other, as the actions see them;
            False keeps the tower's own tokens, for a training of that attention.
        game: the game's name or number, for a model that was told games apart.
        batch_size: frames looked at together.
        workers: processes that draw frames meanwhile; see `examples.batches`.
        on_batch: told after every batch how many frames are done, and of how many.
        folder: of caches on the disk; features that were kept there are not computed again, and
            a run that was cut short goes on. None keeps them in memory. Each cache is named by
            a digest of the examples and of the weights that see, so a stale one is never used.

    Returns:
        The same actions with float16 features, followed by the mirror images if asked: (N, T, C),
        or with the tower's own tokens (N, F, tokens of a frame, C). From a folder they are mapped
        into memory and read when used.

    Raises:
        ValueError: if the disk is too small, a cache is damaged, or the examples have no
            `fingerprint` to keep features by.
    """
    look = _Look(model, examples, mirror, attended, game, batch_size, workers)
    columns = _columns(look)
    if folder is None:
        return _in_memory(look, columns, on_batch)
    store = FeatureStore(folder, f"features-{_key(look)}", columns)
    with store.writing() as writer:
        if writer is not None:
            for inputs, actions in _looked(look, writer.rows):
                writer.append(inputs=inputs, actions=actions)
                _tell(on_batch, writer.rows, writer.count)
    kept = store.open()
    return ArrayExamples(kept["inputs"], kept["actions"])


class _Look(NamedTuple):
    """What is looked at, and how."""

    model: NitroGen
    examples: Examples
    mirror: bool
    attended: bool
    game: str | int | None
    batch_size: int
    workers: int


def _in_memory(
    look: _Look, columns: Mapping[str, Column], on_batch: Callable[[int, int], None] | None
) -> ArrayExamples:
    inputs, actions = (
        np.empty(columns[name].shape, columns[name].dtype) for name in ("inputs", "actions")
    )
    whole = ArrayExamples(inputs, actions)
    done = 0
    for features, rows in _looked(look, 0):
        end = done + len(features)
        inputs[done:end], actions[done:end] = features, rows
        done = end
        _tell(on_batch, done, len(whole))
    return whole


def _columns(look: _Look) -> dict[str, Column]:
    """The arrays that there will be."""
    config, count = look.model.config, len(look.examples) * (1 + look.mirror)
    tokens: tuple[int, ...] = (config.max_sequence_length,)
    if not look.attended:
        frames = _with_frames(look.examples.batch(np.arange(1)).inputs).shape[1]
        tokens = (frames, config.vision.tokens)
    return {
        "inputs": Column(np.float16, (count, *tokens, config.vision.hidden_size)),
        "actions": Column(np.float32, (count, config.action_horizon, config.action_dim)),
    }


def _looked(look: _Look, first: int) -> Iterator[tuple[NDArray[np.float16], NDArray[np.float32]]]:
    """Features and actions of the rows from `first` on, batch by batch."""
    count = len(look.examples)
    for side in (False, True) if look.mirror else (False,):
        begin = min(max(first - side * count, 0), count)
        starts = range(begin, count, look.batch_size)
        orders: Sequence[NDArray[np.int64]] = [
            np.arange(start, min(start + look.batch_size, count)) for start in starts
        ]
        for batch in batches(look.examples, orders, workers=look.workers):
            shown = batch
            if side:
                shown = batch.mirrored(old_layout=look.model.config.old_layout)
            yield _features(look, shown), shown.actions


@torch.no_grad()
def _features(look: _Look, batch: Batch) -> NDArray[np.float16]:
    model, was_training = look.model, look.model.training
    model.eval()
    try:
        pixels = _with_frames(batch.inputs).to(next(model.parameters()).device)
        tokens = model.encode(pixels, look.game) if look.attended else model.see(pixels)
    finally:
        model.train(was_training)
    features: NDArray[np.float16] = tokens.to(torch.float16).cpu().numpy()
    return features


def _with_frames(inputs: NDArray[np.uint8]) -> Tensor:
    """Frames as a model takes them: (n, F, 3, S, S) in [-1, 1], F being 1 where not told."""
    pixels = normalise(inputs)
    return pixels[:, None] if inputs.ndim == 4 else pixels


def _tell(on_batch: Callable[[int, int], None] | None, done: int, total: int) -> None:
    if on_batch is not None:
        on_batch(done, total)


def _key(look: _Look) -> str:
    """A name that is another one whenever the features would be others."""
    if not isinstance(look.examples, Fingerprinted):
        raise ValueError(
            f"{type(look.examples).__name__} has no fingerprint() to keep its features by; "
            "leave the folder out to keep them in memory."
        )
    config = look.model.config
    about: dict[str, Any] = {
        "examples": look.examples.fingerprint(),
        "weights": _weights_digest(look.model),
        "frame": config.vision.image_size,
        "tokens": config.max_sequence_length,
        "old_layout": config.old_layout,
        "mirror": look.mirror,
        "attended": look.attended,
        "game": look.model.game_row(look.game),
    }
    return blake2b(json.dumps(about, sort_keys=True).encode(), digest_size=16).hexdigest()


def _weights_digest(model: NitroGen) -> str:
    digest = blake2b(digest_size=32)
    for name, value in sorted(model.state_dict().items()):
        if name.startswith(SEES):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            flat = value.detach().cpu().contiguous().reshape(-1)
            digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()
