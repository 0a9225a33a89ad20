"""The options of `arena-breaker nitrogen posttrain`: what each means to the user.

Those of the recipe have no defaults of their own: what is not given is as the recipe says, and the
texts name what that is.
"""

from pathlib import Path
from typing import Annotated

import typer

_DATA, _JUDGED, _RECIPE, _MACHINE = (
    "What is learned from",
    "How it is judged",
    "How it learns (each is as --recipe says unless given)",
    "Machine",
)

Base = Annotated[
    str,
    typer.Argument(
        help="What learns: base (comes with the package and has played this game), a checkpoint "
        "such as ng.pt, or tiny or student, which know nothing yet."
    ),
]
Out = Annotated[
    Path,
    typer.Option(
        metavar="FOLDER",
        help="Folder for all that is made. Run the command again with the same folder to continue.",
    ),
]

Episodes = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FOLDER",
        help="Folder with stored episodes, such as a rollout's --out; say it again for more. "
        "Default: none; one of --episodes, --labels and --minari must be given.",
        rich_help_panel=_DATA,
    ),
]
Labels = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FOLDER",
        help="Folder of labels with frames beside them, as `nitrogen export --frame-size 256` and "
        "LabelRecorder write, or of the public data set; say it again for more. Default: none.",
        rich_help_panel=_DATA,
    ),
]
RowsPerStep = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="How many rows of --labels, 1/60 s each, are a step of the game, such as 2. "
        "Default: what the labels say of themselves, or 1.",
        rich_help_panel=_DATA,
    ),
]
Minari = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="A Minari data set on this machine, such as walk/test-v0. Default: none.",
        rich_help_panel=_DATA,
    ),
]
Table = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="What the gamepad means in --minari's game, such as wasd-9. Default: the first "
        "table that fits its actions.",
        rich_help_panel=_DATA,
    ),
]
Pixels = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Which entry of --minari's observations is the picture. Default: the only one.",
        rich_help_panel=_DATA,
    ),
]
Stride = Annotated[
    int,
    typer.Option(
        min=1,
        metavar="N",
        help="Steps from one example to the next: 4 takes a quarter of them.",
        rich_help_panel=_DATA,
    ),
]
ActionShift = Annotated[
    int | None,
    typer.Option(
        min=0,
        metavar="N",
        help="Steps between a frame and the first action that it is to predict. "
        "Default: the model's own.",
        rich_help_panel=_DATA,
    ),
]
Skin = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Looks in which --episodes are drawn, such as garden. Default: as they were played.",
        rich_help_panel=_DATA,
    ),
]
DashButton = Annotated[
    str,
    typer.Option(metavar="NAME", help="Button of the gamepad that dashes.", rich_help_panel=_DATA),
]

HeldOutShare = Annotated[
    float,
    typer.Option(
        "--heldout",
        min=0.0,
        max=0.9,
        metavar="NUMBER",
        help="Share of the episodes that nothing is learned from, to judge the result by; 0: none.",
        rich_help_panel=_JUDGED,
    ),
]
HeldOutMost = Annotated[
    int,
    typer.Option(
        min=1,
        metavar="N",
        help="Most held-out examples that are looked at each time.",
        rich_help_panel=_JUDGED,
    ),
]
HeldOutEvery = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Training steps between two looks at them. Default: once in every pass.",
        rich_help_panel=_JUDGED,
    ),
]
NActionSteps = Annotated[
    int,
    typer.Option(
        min=1,
        metavar="N",
        help="Actions of a predicted chunk that will be played; they are judged by themselves.",
        rich_help_panel=_JUDGED,
    ),
]

RecipeName = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="published: for ng.pt, as its authors did it; adapting: for base; student: for a "
        "small model that knows nothing.",
        rich_help_panel=_RECIPE,
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", help="Passes over the examples. Default: 4.", rich_help_panel=_RECIPE
    ),
]
MaxSeconds = Annotated[
    float | None,
    typer.Option(
        metavar="NUMBER",
        help="Stop after so many seconds, perhaps before the last pass. Default: no limit.",
        rich_help_panel=_RECIPE,
    ),
]
Split = Annotated[
    str | None,
    typer.Option(
        metavar="PART",
        help="Which part learns: action_head, action_head+attention, head, vision_encoder or all; "
        "the first leaves the vision encoder as it is. Default: action_head in published, all in "
        "the others.",
        rich_help_panel=_RECIPE,
    ),
]
LoraRank = Annotated[
    int | None,
    typer.Option(
        min=0,
        metavar="N",
        help="Let small adapters of this rank learn instead of the weights, to save memory, such "
        "as 16; 0: none. Default: 0.",
        rich_help_panel=_RECIPE,
    ),
]
LoraMlp = Annotated[
    bool | None,
    typer.Option(
        "--lora-mlp",
        help="Give adapters to MLPs as well as to attention.",
        rich_help_panel=_RECIPE,
    ),
]
KeepAdapter = Annotated[
    bool,
    typer.Option(
        "--keep-adapter",
        help="Also write the adapters by themselves, in the form of the library peft.",
        rich_help_panel=_RECIPE,
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Examples in a training step. Default: 32 in published, 64 in adapting, 8 in student.",
        rich_help_panel=_RECIPE,
    ),
]
Draws = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="How many noise samples a training step draws for each example. Default: 1, 2 in "
        "student.",
        rich_help_panel=_RECIPE,
    ),
]
LearningRate = Annotated[
    float | None,
    typer.Option(
        metavar="NUMBER",
        help="The highest learning rate. Default: 0.0001 in published, 0.001 in the others.",
        rich_help_panel=_RECIPE,
    ),
]
Warmup = Annotated[
    int | None,
    typer.Option(
        "--warmup-steps",
        min=0,
        metavar="N",
        help="Steps in which the learning rate rises to that. Default: 100 in published, 50 in "
        "the others.",
        rich_help_panel=_RECIPE,
    ),
]
Schedule = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The learning rate after that: constant, cosine (falls to 0) or inverse_sqrt (falls "
        "ever more slowly). Default: constant in published, cosine in the others.",
        rich_help_panel=_RECIPE,
    ),
]
WeightDecay = Annotated[
    float | None,
    typer.Option(
        metavar="NUMBER",
        help="How fast AdamW forgets weights. Default: 0.001.",
        rich_help_panel=_RECIPE,
    ),
]
EmaDecay = Annotated[
    float | None,
    typer.Option(
        metavar="NUMBER",
        help="Share of the weights' average that stays at each step; the average is the result. "
        "Default: 0.9999 in published, 0.99 in adapting, 0.999 in student.",
        rich_help_panel=_RECIPE,
    ),
]
Mirror = Annotated[
    bool | None,
    typer.Option(
        "--mirror/--no-mirror",
        help="Whether every second frame is shown as in a mirror, left and right of its actions "
        "exchanged; not for a game in which they differ. Default: no, yes in student.",
        rich_help_panel=_RECIPE,
    ),
]
Augment = Annotated[
    bool | None,
    typer.Option(
        "--augment",
        help="Change frames by chance, as published: colours, a turn of up to 5 degrees, crops.",
        rich_help_panel=_RECIPE,
    ),
]
Weight = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=NUMBER",
        help="How much one of the gamepad's numbers counts, as in RIGHT_SHOULDER=30; say it again "
        "for more. Default: 1 in published; the sticks and the dash more in the others.",
        rich_help_panel=_RECIPE,
    ),
]
Balanced = Annotated[
    bool,
    typer.Option(
        "--balanced",
        help="Let rare buttons count more, the more the rarer they are.",
        rich_help_panel=_RECIPE,
    ),
]
Game = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The game's name, for a model that tells games apart. Default: none.",
        rich_help_panel=_RECIPE,
    ),
]
SeedOfAll = Annotated[
    int,
    typer.Option(
        "--seed",
        min=0,
        metavar="N",
        help="Seed of all that is drawn by lot, such as 1: the order of examples, noise, what is "
        "held out.",
        rich_help_panel=_RECIPE,
    ),
]

Device = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="cpu or cuda. Default: a GPU if there is one.",
        rich_help_panel=_MACHINE,
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="How exactly it computes: float32, bfloat16, or auto, which is bfloat16 where that is "
        "faster. Default: auto, float32 in student.",
        rich_help_panel=_MACHINE,
    ),
]
Accumulate = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Take a step's examples in so many pieces, to save memory, such as 4. Default: 1.",
        rich_help_panel=_MACHINE,
    ),
]
Checkpointing = Annotated[
    bool | None,
    typer.Option(
        "--gradient-checkpointing",
        help="Compute blocks twice, which saves memory and costs time.",
        rich_help_panel=_MACHINE,
    ),
]
CacheFeatures = Annotated[
    bool,
    typer.Option(
        "--cache-features",
        help="Look at every frame once and keep what was seen on the disk: quicker from the "
        "second pass on, where the vision encoder does not learn.",
        rich_help_panel=_MACHINE,
    ),
]
Workers = Annotated[
    int,
    typer.Option(
        min=0,
        metavar="N",
        help="Processes that draw frames ahead; 0: none but this one.",
        rich_help_panel=_MACHINE,
    ),
]
SaveEvery = Annotated[
    float,
    typer.Option(
        min=0.0,
        metavar="NUMBER",
        help="Seconds between two saves, which is what a kill costs at most.",
        rich_help_panel=_MACHINE,
    ),
]
