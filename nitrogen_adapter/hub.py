"""Models as hubs keep them: a folder with `config.json`, `model.safetensors` and a card.

A folder of this kind is read and written without the hub's library; only an id and `push` need it.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from arena_breaker_gym._runtime.extras import require
from arena_breaker_gym._runtime.files import written_whole
from nitrogen_adapter import checkpoint
from nitrogen_adapter.checkpoint import HUB_CONFIG, HUB_WEIGHTS, PUBLIC, CheckpointError
from nitrogen_adapter.model import NitroGen

CARD = "README.md"
_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_CARD = """\
---
library_name: arena-breaker-gym
pipeline_tag: reinforcement-learning
tags:
- nitrogen
- vision-to-gamepad
- flow-matching
{license}---

# {name}

{description}

| | |
|---|---|
| parameters | {parameters:,} |
| looks at | {frames} RGB frame(s) of {side} × {side} pixels, through a `{tower}` tower |
| says | {rows} gamepad rows of {numbers} numbers |
| denoising steps | {steps} |

```python
from nitrogen_adapter import NitroGen

model = NitroGen.from_pretrained("{name}")  # this folder, or the id under which it lies on a hub
# (B, {frames}, 3, {side}, {side}) in [-1, 1] -> (B, {rows}, {numbers})
chunk = model.sample(pixel_values)
sticks_and_buttons = model.decode(chunk)
```

`{weights}` carries a SHA-256 of its weights, which is checked when it is read.
"""
_UNSAID = (
    "What it was trained on, and how well it plays, stands here once its author has written it."
)


def save(folder: Path, model: NitroGen, *, card: str) -> None:
    """Write a model's folder; a card that is there already stays, for people write into them.

    Raises:
        CheckpointError: if JSON cannot hold the configuration, or `folder` is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise CheckpointError(f"{folder} is a file; expected a folder, or none yet.")
    checkpoint.save(folder / HUB_WEIGHTS, model, config_path=folder / HUB_CONFIG)
    if not (folder / CARD).exists():
        with written_whole(folder / CARD) as part:
            part.write_text(card, encoding="utf-8")


def load(source: str | Path, *, revision: str | None, device: str) -> NitroGen:
    """Read a model from a folder here, or from the hub.

    Raises:
        CheckpointError: if it is neither, cannot be reached, or holds no model.
        MissingExtraError: if an id is given and the hub's library is not installed.
    """
    folder = Path(source)
    if not folder.is_dir():
        folder = _downloaded(str(source), revision)
    return checkpoint.load(folder, device=device)


def push(repo_id: str, model: NitroGen, *, card: str, private: bool | None, message: str) -> str:
    """Write a model to the hub, as one commit, and return that commit's address.

    A card that is there already stays.

    Raises:
        CheckpointError: if the hub cannot be reached or says no.
        MissingExtraError: if the hub's library is not installed.
    """
    hub = require("huggingface_hub", "nitrogen")
    with tempfile.TemporaryDirectory() as scratch:
        save(Path(scratch), model, card=card)
        try:
            name = hub.create_repo(repo_id, private=private, exist_ok=True).repo_id
            kept = [CARD] if hub.file_exists(name, CARD) else []
            commit = hub.upload_folder(
                repo_id=name, folder_path=scratch, commit_message=message, ignore_patterns=kept
            )
        except Exception as error:  # any of the library's, of its HTTP client's, of the system's
            raise CheckpointError(f"{repo_id} was not written: {_first_line(error)}") from error
    return str(commit.commit_url)


def _downloaded(source: str, revision: str | None) -> Path:
    """The folder in which the hub's library keeps a model, after asking the hub for it."""
    if not _ID.fullmatch(source):
        raise CheckpointError(f"There is no folder {source}.")
    hub = require("huggingface_hub", "nitrogen")
    try:
        found = hub.snapshot_download(
            source, revision=revision, allow_patterns=[HUB_CONFIG, HUB_WEIGHTS, PUBLIC]
        )
    except Exception as error:  # as in `push`
        raise CheckpointError(
            f"There is no folder {source}, and the hub did not give a model of that id: "
            f"{_first_line(error)}"
        ) from error
    return Path(found)


def card_of(
    model: NitroGen, name: str, *, description: str | None = None, license: str | None = None
) -> str:
    """Return a model card: what hubs read at its head, what the model is, how it is used."""
    config = model.config
    return _CARD.format(
        name=name,
        description=description or _UNSAID,
        license=f"license: {license}\n" if license else "",
        parameters=sum(one.numel() for one in model.parameters()),
        frames=config.frame_per_sample,
        side=config.vision.image_size,
        tower=config.vision.tower,
        rows=config.action_horizon,
        numbers=config.action_dim,
        steps=config.num_inference_timesteps,
        weights=HUB_WEIGHTS,
    )


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), repr(error))
