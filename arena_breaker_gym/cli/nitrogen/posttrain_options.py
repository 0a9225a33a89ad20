"""The options of `arena-breaker nitrogen posttrain`: what each means to whoever calls it.

Those of the config have no defaults of their own: what is not given is as the config says.
"""

from pathlib import Path
from typing import Annotated

import typer

_DATA, _JUDGED, _RECIPE, _MACHINE = (
    "What is learned from",
    "How it is judged",
    "TrainingConfig",
    "Machine",
)

Base = Annotated[
    str,
    typer.Argument(help="What learns: a checkpoint, or a preset's name for one that knows nothing"),
]
Out = Annotated[
    Path, typer.Option(help="Folder for all that is made; run again with the same to continue.")
]

Episodes = Annotated[
    list[Path] | None,
    typer.Option(
        help="Folder with stored episodes, such as a rollout's --out; again for more.",
        rich_help_panel=_DATA,
    ),
]
Labels = Annotated[
    list[Path] | None,
    typer.Option(
        help="Instead: folder of labels with frames beside them, as `nitrogen export` or "
        "LabelRecorder writes; again for more.",
        rich_help_panel=_DATA,
    ),
]
RowsPerStep = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Rows of --labels, 1/60 s each, in a step; else what their metadata say, or 1.",
        rich_help_panel=_DATA,
    ),
]
Minari = Annotated[
    str | None,
    typer.Option(help="Instead: a Minari data set on this machine.", rich_help_panel=_DATA),
]
Table = Annotated[
    str | None,
    typer.Option(help="Gamepad table for --minari; else one that fits.", rich_help_panel=_DATA),
]
Pixels = Annotated[
    str | None,
    typer.Option(help="Key of the picture in --minari's observations.", rich_help_panel=_DATA),
]
Stride = Annotated[
    int,
    typer.Option(min=1, help="Steps from one example to the next.", rich_help_panel=_DATA),
]
ActionShift = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Steps between a frame and its chunk; the model's own.",
        rich_help_panel=_DATA,
    ),
]
Skin = Annotated[
    str | None,
    typer.Option(help="Looks to draw frames in; as they were played.", rich_help_panel=_DATA),
]
DashButton = Annotated[
    str, typer.Option(help="Button of the gamepad that dashes.", rich_help_panel=_DATA)
]

HeldOutShare = Annotated[
    float,
    typer.Option(
        "--heldout",
        min=0.0,
        max=0.9,
        help="Share of the episodes that is kept from training and judged by; 0: none.",
        rich_help_panel=_JUDGED,
    ),
]
HeldOutMost = Annotated[
    int,
    typer.Option(min=1, help="Held-out examples looked at each time.", rich_help_panel=_JUDGED),
]
HeldOutEvery = Annotated[
    int | None,
    typer.Option(min=1, help="Steps between two looks; once an epoch.", rich_help_panel=_JUDGED),
]
Execute = Annotated[
    int,
    typer.Option(min=1, help="Actions of a chunk that will be played.", rich_help_panel=_JUDGED),
]

RecipeName = Annotated[
    str,
    typer.Option(
        help="'published', for the real checkpoint, or 'student', for a small model from nothing.",
        rich_help_panel=_RECIPE,
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(min=1, help="Passes over the examples.", rich_help_panel=_RECIPE),
]
MaxSeconds = Annotated[
    float | None,
    typer.Option(help="Stop after so long; no two runs are alike.", rich_help_panel=_RECIPE),
]
Split = Annotated[
    str | None,
    typer.Option(
        help="What learns: 'acts', 'acts+attention', 'head' or 'all'.", rich_help_panel=_RECIPE
    ),
]
LoraRank = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Let adapters of this rank learn instead; 0: none.",
        rich_help_panel=_RECIPE,
    ),
]
LoraMlp = Annotated[
    bool | None,
    typer.Option(
        "--lora-mlp/--no-lora-mlp",
        help="Adapters for MLPs too, not attention alone.",
        rich_help_panel=_RECIPE,
    ),
]
KeepAdapter = Annotated[
    bool,
    typer.Option(
        "--keep-adapter",
        help="Also write the adapters by themselves, in peft's form.",
        rich_help_panel=_RECIPE,
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(min=1, help="Examples in a step, over all processes.", rich_help_panel=_RECIPE),
]
Draws = Annotated[
    int | None,
    typer.Option(min=1, help="Noises for each example in a step.", rich_help_panel=_RECIPE),
]
LearningRate = Annotated[float | None, typer.Option(help="The highest.", rich_help_panel=_RECIPE)]
Warmup = Annotated[
    int | None,
    typer.Option(
        "--warmup-steps", min=0, help="Steps until it is reached.", rich_help_panel=_RECIPE
    ),
]
Schedule = Annotated[
    str | None,
    typer.Option(help="From then on 'constant', or 'cosine' down to 0.", rich_help_panel=_RECIPE),
]
WeightDecay = Annotated[float | None, typer.Option(help="Of AdamW.", rich_help_panel=_RECIPE)]
EmaDecay = Annotated[
    float | None, typer.Option(help="Of the weights' average.", rich_help_panel=_RECIPE)
]
Mirror = Annotated[
    bool | None,
    typer.Option(
        "--mirror/--no-mirror", help="Mirror every second frame.", rich_help_panel=_RECIPE
    ),
]
Augment = Annotated[
    bool | None,
    typer.Option(
        "--augment/--no-augment",
        help="Change frames by noise, as published: colours, ±5° of rotation, crops.",
        rich_help_panel=_RECIPE,
    ),
]
Weight = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=NUMBER",
        help="How much a number of the gamepad counts, as RIGHT_SHOULDER=30; again for more.",
        rich_help_panel=_RECIPE,
    ),
]
Balanced = Annotated[
    bool,
    typer.Option(
        "--balanced",
        help="Let buttons that are used rarely count more, by how rare they are.",
        rich_help_panel=_RECIPE,
    ),
]
Game = Annotated[
    str | None,
    typer.Option(
        help="The game's name, for a model that tells games apart.", rich_help_panel=_RECIPE
    ),
]
SeedOfAll = Annotated[
    int, typer.Option("--seed", min=0, help="Of all noise.", rich_help_panel=_RECIPE)
]

Device = Annotated[
    str | None,
    typer.Option(help="cpu or cuda; a GPU if there is one.", rich_help_panel=_MACHINE),
]
Precision = Annotated[
    str | None,
    typer.Option(
        help="'float32', 'bfloat16', or 'auto': bfloat16 on a GPU.", rich_help_panel=_MACHINE
    ),
]
Accumulate = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Take a step's examples in so many pieces, to save memory.",
        rich_help_panel=_MACHINE,
    ),
]
Checkpointing = Annotated[
    bool | None,
    typer.Option(
        "--gradient-checkpointing/--no-gradient-checkpointing",
        help="Compute blocks twice, to save memory.",
        rich_help_panel=_MACHINE,
    ),
]
CacheFeatures = Annotated[
    bool,
    typer.Option(
        "--cache-features",
        help="Look at every frame once and keep what was seen on the disk.",
        rich_help_panel=_MACHINE,
    ),
]
Workers = Annotated[
    int,
    typer.Option(min=0, help="Processes that draw frames ahead.", rich_help_panel=_MACHINE),
]
SaveEvery = Annotated[
    float, typer.Option(min=0.0, help="Seconds between two saves.", rich_help_panel=_MACHINE)
]
