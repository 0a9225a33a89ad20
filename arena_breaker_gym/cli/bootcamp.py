"""`arena-breaker bootcamp`: the article's experiment, end to end, in one command."""

from pathlib import Path
from typing import Annotated

import typer

from arena_breaker_gym.cli import options
from arena_breaker_gym.cli.report import (
    bar,
    how_to_resume,
    keep_page,
    print_json,
    print_table,
    say_where,
    this_command,
)

DEFAULT_OUT = Path("bootcamp")
_TAUGHT, _MEASURED = "Who teaches whom, and how", "How long it is measured"


def bootcamp(
    out: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER",
            help="Folder for all that is made. Run the command again with the same folder to "
            "continue.",
        ),
    ] = DEFAULT_OUT,
    tutor: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            rich_help_panel=_TAUGHT,
            help="Who teaches: any agent by its name, such as expert, scripted, planner, claude "
            "or replay:TRANSCRIPT.",
        ),
    ] = "expert",
    student: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            rich_help_panel=_TAUGHT,
            help="Who learns: base (ships with the package, has played in other looks), student "
            "(the same network from nothing), a base of your own such as "
            "runs/base/base.safetensors, another checkpoint such as ng.pt, or a server as in "
            "tcp://127.0.0.1:5555, which is measured and not trained.",
        ),
    ] = "base",
    skin: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            rich_help_panel=_TAUGHT,
            help="Looks of the game, by the name of a skin or a file; the base has seen blueprint, "
            "chalkboard, garden, lava, neon and newsprint, and is tested by any other.",
        ),
    ] = "default",
    hud: Annotated[
        bool,
        typer.Option(
            rich_help_panel=_TAUGHT,
            help="Whether the student sees the HUD that people see over the game, in the new "
            "looks; the article hid it.",
        ),
    ] = False,
    familiar_skin: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            rich_help_panel=_TAUGHT,
            help="Looks that the base knows: moments are drawn in them as well, and it learns to "
            "see in the new looks what it sees in these; none: it is not told.",
        ),
    ] = "neon",
    practice: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            rich_help_panel=_TAUGHT,
            help="Moments that the base meets while it plays by itself in the looks that it knows: "
            "drawn in the new ones as well, as its tutor's are, they teach it to see there, and it "
            "acts as it did; 0: it learns to see and to act from its tutor alone. Default: 19200 "
            "with the expert, as which the base acts; else 0.",
        ),
    ] = None,
    demonstrations: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            rich_help_panel=_TAUGHT,
            help="Episodes that the tutor records, over stages 1 to 3.",
        ),
    ] = 17,
    dagger: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            rich_help_panel=_TAUGHT,
            help="Rounds in which the trained student plays, the tutor says what it would have "
            "done, and the student learns from that, such as 20, each about a minute; 0: it "
            "learns from the recorded episodes alone.",
        ),
    ] = 0,
    fine_tuning: Annotated[
        int,
        typer.Option(
            min=0,
            help="Rounds of PPO in which the last student goes on by itself, by what the game "
            "rewards; in the first 4 only its critic learns.",
        ),
    ] = 0,
    n_action_steps: Annotated[
        int,
        typer.Option(
            min=1,
            max=18,
            metavar="N",
            rich_help_panel=_TAUGHT,
            help="How many of the 18 actions that the student predicts are played before it looks "
            "again.",
        ),
    ] = 3,
    evaluations: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            rich_help_panel=_MEASURED,
            help="Episodes that each row of the table is measured over.",
        ),
    ] = 100,
    realtime_evaluations: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            rich_help_panel=_MEASURED,
            help="Episodes of the student in a game that does not wait while it thinks; 0: no "
            "such row.",
        ),
    ] = 0,
    tutor_evaluations: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            rich_help_panel=_MEASURED,
            help="Episodes for each of the tutor's rows, such as 10 for one that costs money. "
            "Default: as many as --evaluations.",
        ),
    ] = None,
    control: Annotated[
        bool,
        typer.Option(
            "--control/--no-control",
            rich_help_panel=_TAUGHT,
            help="Whether a second student learns with its vision encoder as it was, as the "
            "article's did.",
        ),
    ] = True,
    sweep: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="TOML file of many bootcamps that differ in one thing each, such as "
            "examples/sweep.toml; all other options but --out and --json then come from it. "
            "Default: one bootcamp.",
        ),
    ] = None,
    budget: options.Budget = None,
    train_seconds: Annotated[
        float | None,
        typer.Option(
            min=1.0,
            metavar="SECONDS",
            rich_help_panel=_TAUGHT,
            help="Most seconds that each training of the student may take, such as 180. Default: "
            "no limit.",
        ),
    ] = None,
    seed: options.Seed = 0,
    backend: options.BackendName = "local",
    ray_address: options.RayAddress = None,
    workers: options.Workers = None,
    json: options.Json = False,
) -> None:
    """The article: a tutor shows, a pixels-only student learns, both are measured and filmed.

    Example: arena-breaker bootcamp --out runs/bootcamp --dagger 30
    """
    from arena_breaker_gym._runtime.extras import require

    # Ten minutes on is no time to find that the last part cannot run.
    require("torch", "nitrogen")
    require("moviepy", "video")
    if sweep is not None:
        _sweep(sweep, out, json=json)
        return
    from arena_breaker_gym.bootcamp.bootcamp import Bootcamp
    from arena_breaker_gym.bootcamp.page import bootcamp_report
    from arena_breaker_gym.bootcamp.plan import BootcampPlan, is_base

    base = is_base(student)
    plan = BootcampPlan.for_student(
        student,
        seed=seed,
        max_seconds=train_seconds,
        tutor=tutor,
        skin=skin,
        hud=hud,
        familiar_skin=familiar_skin if base and familiar_skin != "none" else None,
        **({} if practice is None else {"practice": practice}),
        demonstrations=demonstrations,
        dagger=dagger,
        fine_tuning=fine_tuning,
        n_action_steps=n_action_steps,
        evaluations=evaluations,
        tutor_evaluations=tutor_evaluations,
        realtime_evaluations=realtime_evaluations,
        control=control and base,
    )
    chosen = options.opened_backend(backend, address=ray_address, workers=workers)
    with bar(resume=how_to_resume(out)) as advance, chosen as place:
        camp = Bootcamp(plan, out, budget=budget, backend=place)
        results = camp.run(advance)
    if json:
        print_json(results.to_dict())
    else:
        print_table(results.rows)
        if camp.bill is not None:
            typer.echo(f"The tutor: {camp.bill.sentence()}.")
    say_where("Results", out / "results.json")
    say_where("Video", camp.video)
    keep_page(bootcamp_report(camp, results, command=this_command()), out / "report.html")


def _sweep(file: Path, out: Path, *, json: bool) -> None:
    from arena_breaker_gym.bootcamp.sweep import read_sweep, run_sweep, sweep_report

    runs = read_sweep(file)
    with bar(resume=how_to_resume(out)) as advance:
        results = run_sweep(runs, out, advance)
    if json:
        print_json(results.to_dict())
    else:
        print_table([{**row, "agent": f"{row['run']}: {row['agent']}"} for row in results.rows])
    say_where("Results", out / "results.json")
    keep_page(sweep_report(results, command=this_command()), out / "report.html")
