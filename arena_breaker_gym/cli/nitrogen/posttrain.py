"""`arena-breaker nitrogen posttrain`: a model learns from play, and one sees what it learnt."""

import contextlib
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from json import loads
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from arena_breaker_gym.cli import options
from arena_breaker_gym.cli.nitrogen import posttrain_options as given
from arena_breaker_gym.cli.nitrogen.scores import print_scores
from arena_breaker_gym.cli.progress import Advance, bar
from arena_breaker_gym.cli.report import print_json, say_where

if TYPE_CHECKING:
    from nitrogen_adapter import NitroGen
    from nitrogen_adapter.data.examples import Examples
    from nitrogen_adapter.data.moments import ChunkSettings
    from nitrogen_adapter.gamepad import GamepadSettings
    from nitrogen_adapter.training.config import TrainingConfig
    from nitrogen_adapter.training.data_split import DataSplit
    from nitrogen_adapter.training.processes import Processes
    from nitrogen_adapter.training.run import TrainingRun


# Options that are settings of the configuration under the same name.
_SETTINGS = (
    "epochs",
    "max_seconds",
    "split",
    "lora_rank",
    "lora_mlp",
    "batch_size",
    "draws",
    "learning_rate",
    "warmup_steps",
    "schedule",
    "weight_decay",
    "ema_decay",
    "mirror",
    "game",
    "seed",
    "precision",
    "accumulate",
    "gradient_checkpointing",
)

_DRAWING = 0.05  # of the progress bar: the drawing of frames


def posttrain(
    ctx: typer.Context,
    base: given.Base,
    *,
    out: given.Out,
    episodes: given.Episodes = None,
    labels: given.Labels = None,
    rows_per_step: given.RowsPerStep = None,
    minari: given.Minari = None,
    table: given.Table = None,
    pixels: given.Pixels = None,
    stride: given.Stride = 1,
    action_shift: given.ActionShift = None,
    skin: given.Skin = None,
    dash_button: given.DashButton = "RIGHT_SHOULDER",
    heldout: given.HeldOutShare = 0.1,
    heldout_most: given.HeldOutMost = 256,
    heldout_every: given.HeldOutEvery = None,
    execute: given.Execute = 9,
    recipe: given.RecipeName = "published",
    epochs: given.Epochs = None,
    max_seconds: given.MaxSeconds = None,
    split: given.Split = None,
    lora_rank: given.LoraRank = None,
    lora_mlp: given.LoraMlp = None,
    keep_adapter: given.KeepAdapter = False,
    batch_size: given.BatchSize = None,
    draws: given.Draws = None,
    learning_rate: given.LearningRate = None,
    warmup_steps: given.Warmup = None,
    schedule: given.Schedule = None,
    weight_decay: given.WeightDecay = None,
    ema_decay: given.EmaDecay = None,
    mirror: given.Mirror = None,
    augment: given.Augment = None,
    weight: given.Weight = None,
    balanced: given.Balanced = False,
    game: given.Game = None,
    seed: given.SeedOfAll = 0,
    device: given.Device = None,
    precision: given.Precision = None,
    accumulate: given.Accumulate = None,
    gradient_checkpointing: given.Checkpointing = None,
    cache_features: given.CacheFeatures = False,
    workers: given.Workers = 0,
    save_every: given.SaveEvery = 60.0,
    json: options.Json = False,
) -> None:
    """Teaches a model to play as somebody played before, and says what came of it.

    It learns from stored episodes, from labels with frames, or from a Minari
    data set. Killed and run again, it goes on as if nothing had been. On
    several GPUs: torchrun --nproc-per-node N -m arena_breaker_gym.cli nitrogen
    posttrain, and then as here.

    Example: arena-breaker nitrogen posttrain base --episodes runs/demo --out runs/student
    """
    _run(ctx.params)  # all that was given, by name: too much to hand on one by one


def _run(wanted: Mapping[str, Any]) -> None:
    from arena_breaker_gym.extras import require

    require("torch", "nitrogen")
    from nitrogen_adapter.training.processes import Processes

    team = Processes.launched(wanted["device"])
    try:
        report = _train(wanted, team)
    finally:
        team.close()
    if team.main:
        _tell({**report, **_passes(wanted["out"], report)}, wanted["out"], json=wanted["json"])


def _train(wanted: Mapping[str, Any], team: "Processes") -> dict[str, Any]:
    """Does what is left to do; returns the report, which only the main process writes."""
    from nitrogen_adapter.training.heldout import mean_row
    from nitrogen_adapter.training.run import claim, finished

    out: Path = wanted["out"]
    model = _base(wanted, team)
    data_split = _data_split(wanted, model)
    config = _config(wanted, data_split)
    if wanted["execute"] > data_split.train.settings.horizon:
        raise ValueError(
            f"--execute is beyond a chunk's {data_split.train.settings.horizon} actions."
        )
    claim(out, _about(wanted, data_split, config), processes=team)
    done = finished(out)
    if done is not None:
        return done
    resume = f"What was learnt is in {out}; run the same command again to continue."
    with bar(resume=resume) if team.main else contextlib.nullcontext(_ignore) as advance:
        examples = _examples(wanted, data_split, config, model, advance)
        course = _course(wanted, data_split, config, model, examples, team)
        course.run(
            lambda: mean_row(examples, old_layout=model.config.old_layout),
            lambda words, share: advance(words, _DRAWING + (1.0 - _DRAWING) * share),
        )
    return finished(out) or {}


def _passes(out: Path, report: Mapping[str, Any]) -> dict[str, Any]:
    """How often the training went over its examples, if it was to be by passes."""
    from nitrogen_adapter.passes import Passes

    recipe = loads((out / "settings.json").read_text(encoding="utf-8"))["recipe"]
    if recipe.get("steps"):
        return {}
    passes = Passes.counted(
        steps=report["steps"],
        examples=report["examples"],
        batch_size=recipe["batch_size"],
        planned=recipe["epochs"],
    )
    return {"passes": passes.to_dict()}


def _base(wanted: Mapping[str, Any], team: "Processes") -> "NitroGen":
    from nitrogen_adapter import NitroGen
    from nitrogen_adapter.presets import file_of

    base, device = wanted["base"], str(team.device)
    file = file_of(base)
    if file is None:
        return NitroGen.preset(base, seed=wanted["seed"], device=device)
    return NitroGen.from_checkpoint(file, device=device)


def _data_split(wanted: Mapping[str, Any], model: "NitroGen") -> "DataSplit":
    from nitrogen_adapter.gamepad import GamepadSettings
    from nitrogen_adapter.training.data_split import chunks_for, from_episodes, from_minari

    if sum(bool(wanted[name]) for name in ("episodes", "labels", "minari")) != 1:
        raise ValueError("Name what to learn from: one of --episodes, --labels and --minari.")
    config = model.config
    chunks = chunks_for(config, stride=wanted["stride"], action_shift=wanted["action_shift"])
    terms: dict[str, Any] = {
        "size": config.vision.image_size,
        "buttons": GamepadSettings(dash_button=wanted["dash_button"], old_layout=config.old_layout),
        "heldout": wanted["heldout"],
        "seed": wanted["seed"],
    }
    if wanted["episodes"]:
        return from_episodes(wanted["episodes"], chunks, skin=wanted["skin"], **terms)
    if wanted["labels"]:
        return _from_labels(wanted, chunks, **terms)
    picture = {"table": wanted["table"], "pixels": wanted["pixels"]}
    return from_minari(wanted["minari"], chunks, **picture, **terms)


def _from_labels(
    wanted: Mapping[str, Any], chunks: "ChunkSettings", *, buttons: "GamepadSettings", **terms: Any
) -> "DataSplit":
    from nitrogen_adapter.data.label_split import split_labels
    from nitrogen_adapter.training.data_split import DataSplit

    split = split_labels(
        wanted["labels"],
        chunks,
        old_layout=buttons.old_layout,
        dash=buttons.dash_button,
        rows_per_step=wanted["rows_per_step"],
        **terms,
    )
    return DataSplit(*split, buttons)


def _config(wanted: Mapping[str, Any], data_split: "DataSplit") -> "TrainingConfig":
    from nitrogen_adapter.training.augment import Augmentation
    from nitrogen_adapter.training.config import TRAINING_CONFIGS

    if wanted["recipe"] not in TRAINING_CONFIGS:
        raise ValueError(
            f"There is no recipe {wanted['recipe']!r}; known are {', '.join(TRAINING_CONFIGS)}."
        )
    changes = {name: wanted[name] for name in _SETTINGS if wanted[name] is not None}
    if data_split.train.sight_rows is None:
        changes["sight_weight"] = 0.0  # nobody noted what stands where
    if wanted["augment"] is not None:
        changes["augment"] = Augmentation.published() if wanted["augment"] else Augmentation()
    config = TRAINING_CONFIGS[wanted["recipe"]](**changes)
    weights = dict(config.weights)
    if wanted["balanced"]:
        weights |= data_split.balance.weights()
    return replace(config, weights={**weights, **_weights(wanted["weight"] or ())})


def _weights(texts: Sequence[str]) -> dict[str, float]:
    weights = {}
    for text in texts:
        name, _, number = text.partition("=")
        try:
            weights[name.strip().upper()] = float(number)
        except ValueError:
            raise ValueError(f"--weight {text}: expected NAME=NUMBER, as in EAST=30.") from None
    return weights


def _about(
    wanted: Mapping[str, Any], data_split: "DataSplit", config: "TrainingConfig"
) -> dict[str, Any]:
    """What makes this training this one: the folder of another is refused."""
    judged = {name: wanted[name] for name in ("heldout_most", "heldout_every", "execute")}
    return {
        "base": _identity(wanted["base"], wanted["seed"]),
        "data": data_split.about(),
        "recipe": config.to_dict(),
        "judged": judged,
        "cached": wanted["cache_features"],
    }


def _identity(base: str, seed: int) -> dict[str, Any]:
    from nitrogen_adapter.presets import file_of

    path = file_of(base)
    if path is None:
        return {"preset": base, "seed": seed}
    with path.open("rb") as file:
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _examples(
    wanted: Mapping[str, Any],
    data_split: "DataSplit",
    config: "TrainingConfig",
    model: "NitroGen",
    advance: Advance,
) -> "Examples":
    """Frames, drawn ahead if they fit into memory, or what the model sees of them."""
    from nitrogen_adapter.data.features import cache_features
    from nitrogen_adapter.training.data_split import made_ahead

    def show(words: str) -> Callable[[int, int], None]:
        return lambda done, total: advance(words, _DRAWING * done / total)

    if not wanted["cache_features"]:
        return made_ahead(data_split.train, show("Frames are drawn"))
    if not config.tower_is_frozen or config.augment:
        raise ValueError("--cache-features needs a frozen vision tower and no augmentation.")
    return cache_features(
        model,
        data_split.train,
        mirror=config.mirror,
        attended=config.sight_is_frozen,
        game=config.game,
        workers=wanted["workers"],
        on_batch=show("Frames are looked at"),
        folder=wanted["out"] / "features",
    )


def _course(
    wanted: Mapping[str, Any],
    data_split: "DataSplit",
    config: "TrainingConfig",
    model: "NitroGen",
    examples: "Examples",
    team: "Processes",
) -> "TrainingRun":
    from nitrogen_adapter.training.heldout import HeldOut
    from nitrogen_adapter.training.run import TrainingRun
    from nitrogen_adapter.training.trainer import Trainer

    heldout = None
    if data_split.heldout is not None:
        heldout = HeldOut(
            data_split.heldout,
            most=wanted["heldout_most"],
            execute=wanted["execute"],
            buttons=data_split.buttons,
        )
    total = model.num_parameters()
    trainer = Trainer(model, examples, config, processes=team, workers=wanted["workers"])
    if team.main:
        share = f"{trainer.learning():,} of {total:,} parameters learn"
        typer.echo(f"{share}, from {len(examples):,} examples.", err=True)
    return TrainingRun(
        trainer,
        wanted["out"],
        heldout=heldout,
        heldout_every=wanted["heldout_every"],
        save_every=wanted["save_every"],
        keep_adapter=wanted["keep_adapter"],
        processes=team,
    )


def _tell(report: Mapping[str, Any], out: Path, *, json: bool) -> None:
    if json:
        print_json(report)
    else:
        print_scores(report)
    say_where("Report", out / "report.json")
    say_where("Curves", out / "tensorboard")
    say_where("Checkpoint", out / "model.pt")


def _ignore(words: str, share: float) -> None:
    """Shows nothing."""
