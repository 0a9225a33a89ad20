"""`arena-breaker nitrogen posttrain`: a model learns from play, and one sees what it learned."""

import contextlib
import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arena_breaker_gym.cli import options
from arena_breaker_gym.cli.nitrogen import posttrain_options as given
from arena_breaker_gym.cli.report import bar, keep_page, print_json, say_where, this_command

if TYPE_CHECKING:
    from nitrogen_adapter.training.config import TrainingConfig
    from nitrogen_adapter.training.post_training import PostTrainingConfig
    from nitrogen_adapter.training.processes import Processes

# Options that are settings of what is learned from, under the same name.
_DATA = (
    "minari",
    "rows_per_step",
    "table",
    "pixels",
    "skin",
    "stride",
    "action_shift",
    "dash_button",
    "heldout",
)

# Options that are settings of the configuration under the same name.
SETTINGS = (
    "epochs",
    "max_seconds",
    "split",
    "lora_rank",
    "lora_mlp",
    "batch_size",
    "noise_samples",
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


def pretrain(
    out: Annotated[
        Path,
        typer.Option(help="Folder of the base. Run the command again with it to continue."),
    ] = Path("runs/base"),
    rounds: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Stop after so many rounds of play and training in all, such as 100. A round is "
            "24,576 examples. Default: 2083.",
        ),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(help="Checkpoint to begin with. Default: fresh weights, which know nothing."),
    ] = None,
    annealing: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Rounds in which the learning rate rises once more and falls to zero, such as 50: "
            "how a base that --start names is brought to an end. Default: it falls slowly, and "
            "the end is open.",
        ),
    ] = None,
    skin: Annotated[
        list[str] | None,
        typer.Option(
            help="Looks that it sees, such as lava; say it again for more. Default: blueprint, "
            "chalkboard, garden, lava, neon and newsprint.",
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            min=0, help="Seed of all that is drawn by lot: weights, games and choices, such as 1."
        ),
    ] = 0,
    threads: Annotated[int, typer.Option(min=1, help="Threads that compute.")] = 2,
) -> None:
    """Makes a base, in hours: the student plays from pictures, the expert says what it would do.

    Example: arena-breaker nitrogen pretrain --out runs/base --rounds 100
    """
    from arena_breaker_gym._runtime.extras import require

    require("torch", "nitrogen")
    from arena_breaker_gym.distillation.pretraining import Pretraining, PretrainingConfig

    config = PretrainingConfig(seed=seed)
    if annealing is not None:
        config = PretrainingConfig.annealing(annealing, seed=seed)
    if skin:
        config = replace(config, skins=tuple(skin))
    resume = f"What was learned is in {out}; run the same command again to continue."
    with bar(resume=resume) as advance:
        base = Pretraining(out, config, start=start, num_threads=threads).run(
            advance, until_round=rounds
        )
    say_where("Base", base)
    say_where("Curves", out / "tensorboard")


def print_scores(report: Mapping[str, Any]) -> None:
    """Prints what held-out examples say of the base, of the mean action and of the result.

    Args:
        report: What `report.json` of a post-training holds.
    """
    from rich.console import Console
    from rich.table import Table

    from nitrogen_adapter.training.data_split import SCORES
    from nitrogen_adapter.training.run import Passes

    console = Console(highlight=False)
    if "passes" in report and (passes := Passes(**report["passes"])).cut_short:
        console.print(f"The training was cut short after {passes} over its examples.")
    scores = report["scores"]
    if not scores:
        console.print("No episode was held out, so nothing is known of how good the result is.")
        return
    titles = {
        "played": f"Held out: the first {report['played']} actions of a chunk",
        "chunk": "Held out: whole chunks",
    }
    for part, title in titles.items():
        table = Table("", title=title, title_justify="left")
        for who in scores:
            table.add_column(who, justify="right")
        for name, meaning in SCORES.items():
            table.add_row(meaning, *(_text(scores[who][part][name]) for who in scores))
        console.print(table)


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def posttrain(
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
    n_action_steps: given.NActionSteps = 9,
    recipe: given.RecipeName = "published",
    epochs: given.Epochs = None,
    max_seconds: given.MaxSeconds = None,
    split: given.Split = None,
    lora_rank: given.LoraRank = None,
    lora_mlp: given.LoraMlp = None,
    keep_adapter: given.KeepAdapter = False,
    batch_size: given.BatchSize = None,
    noise_samples: given.Draws = None,
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
    """Teaches a model to play as a recorded player did, and says what came of it.

    It learns from stored episodes, from labels with frames, or from a Minari
    data set. Killed and run again, it goes on as if never stopped. On
    several GPUs: torchrun --nproc-per-node N -m arena_breaker_gym nitrogen
    posttrain, and then as here.

    Example: arena-breaker nitrogen posttrain base --episodes runs/demo --out runs/student
    """
    _run(locals())  # all that was given, by name: too much to hand on one by one


def _run(wanted: Mapping[str, Any]) -> None:
    from arena_breaker_gym._runtime.extras import require

    require("torch", "nitrogen")
    from nitrogen_adapter.training.processes import Processes

    team = Processes.launched(wanted["device"])
    try:
        report = _train(wanted, team)
        team.wait()  # one that is gone while another still writes may pull that one down with it
    finally:
        team.close()
    if team.main:
        _tell(report, wanted["out"], json=wanted["json"])


def _train(wanted: Mapping[str, Any], team: "Processes") -> dict[str, Any]:
    """Does what is left to do; returns the report, which only the main process writes."""
    from nitrogen_adapter.training.post_training import PostTraining

    out: Path = wanted["out"]
    training = PostTraining(
        _config(wanted),
        out,
        processes=team,
        workers=wanted["workers"],
        save_every=wanted["save_every"],
        keep_adapter=wanted["keep_adapter"],
    )
    if training.report is not None:
        return training.report
    resume = f"What was learned is in {out}; run the same command again to continue."
    with bar(resume=resume) if team.main else contextlib.nullcontext(_ignore) as advance:
        said = functools.partial(typer.echo, err=True) if team.main else None
        return training.run(advance, on_start=said)


def _config(wanted: Mapping[str, Any]) -> "PostTrainingConfig":
    from nitrogen_adapter.training.post_training import DataConfig, PostTrainingConfig

    data: dict[str, Any] = {name: wanted[name] for name in _DATA}
    data |= {name: tuple(wanted[name] or ()) for name in ("episodes", "labels")}
    return PostTrainingConfig(
        base=wanted["base"],
        data=DataConfig(**data),
        training=_training(wanted),
        balanced=wanted["balanced"],
        heldout_most=wanted["heldout_most"],
        heldout_every=wanted["heldout_every"],
        n_action_steps=wanted["n_action_steps"],
        cache_features=wanted["cache_features"],
        seed=wanted["seed"],
    )


def _training(wanted: Mapping[str, Any]) -> "TrainingConfig":
    from nitrogen_adapter.training.config import TRAINING_CONFIGS, Augmentation

    if wanted["recipe"] not in TRAINING_CONFIGS:
        raise ValueError(
            f"There is no recipe {wanted['recipe']!r}; known are {', '.join(TRAINING_CONFIGS)}."
        )
    changes = {name: wanted[name] for name in SETTINGS if wanted[name] is not None}
    if wanted["augment"] is not None:
        changes["augment"] = Augmentation.published() if wanted["augment"] else Augmentation()
    config = TRAINING_CONFIGS[wanted["recipe"]](**changes)
    return replace(config, weights={**config.weights, **_weights(wanted["weight"] or ())})


def _weights(texts: Sequence[str]) -> dict[str, float]:
    weights = {}
    for text in texts:
        name, _, number = text.partition("=")
        try:
            weights[name.strip().upper()] = float(number)
        except ValueError:
            raise ValueError(f"--weight {text}: expected NAME=NUMBER, as in EAST=30.") from None
    return weights


def _tell(report: Mapping[str, object], out: Path, *, json: bool) -> None:
    from arena_breaker_gym.report.report import training_report

    if json:
        print_json(report)
    else:
        print_scores(report)
    page = out / "report.html"
    if page.exists():
        say_where("Report", page)
    else:
        keep_page(training_report(out, report, command=this_command()), page)
    say_where("Curves", out / "tensorboard")
    say_where("Checkpoint", out / "model.pt")


def _ignore(words: str, share: float) -> None:
    """Shows nothing."""
