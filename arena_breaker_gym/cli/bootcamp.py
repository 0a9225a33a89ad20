"""`arena-breaker bootcamp`: the article's experiment, end to end, in one command."""

from pathlib import Path
from typing import Annotated

import typer

from arena_breaker_gym.cli import options
from arena_breaker_gym.cli.progress import bar
from arena_breaker_gym.cli.report import how_to_resume, print_json, print_table, say_where

DEFAULT_OUT = Path("bootcamp")


def bootcamp(
    out: Annotated[
        Path, typer.Option(help="Folder for all that is made; run again with the same to continue.")
    ] = DEFAULT_OUT,
    tutor: Annotated[
        str, typer.Option(help="Who teaches: the name of an agent, such as scripted or claude.")
    ] = "scripted",
    student: Annotated[
        str,
        typer.Option(
            help="Who learns: a preset (student), a checkpoint such as ng.pt, or a server as in "
            "tcp://127.0.0.1:5555, which is measured and not trained."
        ),
    ] = "student",
    demonstrations: Annotated[
        int, typer.Option(min=1, help="Episodes that the tutor records, over stages 1 to 3.")
    ] = 17,
    evaluations: Annotated[
        int, typer.Option(min=1, help="Episodes for each column of the table.")
    ] = 50,
    realtime_evaluations: Annotated[
        int, typer.Option(min=0, help="Episodes of the student in a game that does not wait.")
    ] = 30,
    tutor_evaluations: Annotated[
        int | None,
        typer.Option(min=1, help="Episodes for each of the tutor's columns, where fewer will do."),
    ] = None,
    budget: options.Budget = None,
    train_seconds: Annotated[
        float | None,
        typer.Option(
            min=1.0,
            help="Most seconds that the student may learn; 240 for a preset, where not given.",
        ),
    ] = None,
    seed: options.Seed = 0,
    engine: options.EngineName = "local",
    ray_address: options.RayAddress = None,
    workers: options.Workers = None,
    json: options.Json = False,
) -> None:
    """The article: a tutor shows, a pixels-only student learns, both are measured and filmed."""
    from arena_breaker_gym.extras import require

    # Ten minutes on is no time to find that the last part cannot run.
    require("torch", "nitrogen")
    require("moviepy", "video")
    from arena_breaker_gym.bootcamp.bootcamp import Bootcamp
    from arena_breaker_gym.bootcamp.plan import BootcampPlan

    plan = BootcampPlan.for_student(
        student,
        seed=seed,
        max_seconds=train_seconds,
        tutor=tutor,
        demonstrations=demonstrations,
        evaluations=evaluations,
        tutor_evaluations=tutor_evaluations,
        realtime_evaluations=realtime_evaluations,
    )
    chosen = options.opened_engine(engine, address=ray_address, workers=workers)
    with bar(resume=how_to_resume(out)) as advance, chosen as place:
        camp = Bootcamp(plan, out, budget=budget, engine=place)
        results = camp.run(advance)
    if json:
        print_json(results.to_dict())
    else:
        print_table(results.rows)
        if camp.bill is not None:
            typer.echo(f"The tutor: {camp.bill.sentence()}.")
    say_where("Results", out / "results.json")
    say_where("Video", camp.video)
