"""`write_report`: a report as one HTML page that needs nothing else, neither file nor network.

Where the player died is drawn here too: places over a picture of the stage, a marker a cause.
"""

import base64
import json
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena_breaker_gym._runtime.extras import require
from arena_breaker_gym._runtime.files import written_whole
from arena_breaker_gym.batch.arenas import Arenas
from arena_breaker_gym.engine.arena import CAUSES
from arena_breaker_gym.rendering.camera import Camera
from arena_breaker_gym.rendering.frames import png_of
from arena_breaker_gym.rendering.renderer import Renderer
from arena_breaker_gym.report.charts import (
    EXTRA,
    Chart,
    ChartColours,
    Key,
    aim_chart,
    curve_chart,
    figure_of,
    is_death,
    kills_chart,
    survival_chart,
)
from arena_breaker_gym.report.report import Report, VideoPanel
from arena_breaker_gym.report.table import table_of
from arena_breaker_gym.rollout.episode import Episode
from arena_breaker_gym.rollout.replay import ReplayError, resimulate


def write_report(report: Report, path: Path) -> Path:
    """Writes a report as a page, whole or not at all.

    Charts, pictures and films lie inside the file; a browser that shows it sends no
    requests. Sections of which the report says nothing are left out.

    Args:
        report: What the page is to tell.
        path: The page, a name that ends in .html; one that is there is replaced.

    Returns:
        The path.

    Raises:
        ValueError: If a film is no readable MP4 file; nothing is written then.
        MissingExtraError: If the extra "report" is not installed.
    """
    page = _environment().get_template("page.html")
    plotly: str = require("plotly.offline", EXTRA).get_plotlyjs()
    html = page.render(plotly=plotly, **_parts(report))
    with written_whole(path) as part:
        part.write_text(html, encoding="utf-8")
    return path


def _environment() -> Any:
    jinja2 = require("jinja2", EXTRA)
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(_source),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def _source(name: str) -> str:
    return (files("arena_breaker_gym.report") / "page" / name).read_text(encoding="utf-8")


def _parts(report: Report) -> dict[str, object]:
    """All that the template names except Plotly."""
    palette = ChartColours.of(report)
    places = places_of(report.episodes, palette)
    pictures = {
        word: _embedded(png_of(frame), "image/png") for word, frame in places.pictures.items()
    }
    return {
        "report": report,
        "table": table_of(report.rows),
        "kills": kills_chart(report.rows, palette),
        "curves": [curve_chart(curve, palette) for curve in report.curves],
        "aim": aim_chart(report.episodes, palette),
        "survival": survival_chart(report.episodes, palette),
        "places": places,
        "pictures": pictures,
        "videos": [(video.caption, _film(video)) for video in report.videos],
        "settings": {name: _words(value) for name, value in report.settings.items()},
        "timings": {name: _duration(value) for name, value in report.timings_s.items()},
        "palette": palette,
        "style": _source("page.css"),
        "script": _source("page.js"),
    }


def _film(video: VideoPanel) -> str:
    try:
        content = video.path.read_bytes()
    except OSError as error:
        raise ValueError(f"{video.path}: {error.strerror or error}, expected a film.") from error
    if content[4:8] != b"ftyp":  # how every MP4 file begins, after a length
        raise ValueError(f"{video.path}: this is no MP4 film.")
    return _embedded(content, "video/mp4")


def _embedded(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _words(value: object) -> str:
    """A JSON value for people."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_words(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_words, value))
    return value if isinstance(value, str) else json.dumps(value)


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


SIZE = 440  # pixels a side of a stage's drawing
_AWAY = 1e4  # m: a player who stands there is on no picture
# For each cause Plotly's marker and the letter like it, so that it looks alike on every panel.
_MARKS = dict(
    zip(
        CAUSES[1:],
        (
            ("circle", "●"),
            ("triangle-up", "▲"),
            ("square", "■"),
            ("diamond", "◆"),
            ("star", "★"),
            ("hexagon", "⬢"),
            ("x", "✖"),
            ("cross", "✚"),
        ),
        strict=True,
    )
)


@dataclass(frozen=True)
class Death:
    """Where a player was when an episode ended, and what killed it.

    Attributes:
        x, z: Metres.
        cause: One of `engine.arena.CAUSES`.
        seed: The episode's.
        seconds: How long it had lived.
    """

    x: float
    z: float
    cause: str
    seed: int
    seconds: float


@dataclass(frozen=True)
class Places:
    """Charts of places of death.

    Attributes:
        charts: One for each name and stage with a death.
        pictures: By the word that stands for it in a chart's layout, a stage's PNG frame.
        problems: Sentences on episodes that do not replay and so are on no chart.
    """

    charts: Sequence[Chart]
    pictures: Mapping[str, NDArray[np.uint8]]
    problems: Sequence[str]


@dataclass(frozen=True)
class _Floor:
    """A stage as drawn: its word in layouts, its frame, and the camera that saw it."""

    word: str
    frame: NDArray[np.uint8]
    camera: Camera


def places_of(episodes: Mapping[str, Sequence[Episode]], palette: ChartColours) -> Places:
    """Plays every episode that ended in a death again, to its end, and charts the places."""
    deaths: dict[tuple[str, int, str], list[Death]] = defaultdict(list)
    floors: dict[tuple[int, str], _Floor] = {}
    problems: Counter[tuple[str, str]] = Counter()
    for name, some in episodes.items():
        for one in filter(is_death, some):
            try:
                arenas = _end_of(one)
            except ReplayError as error:
                problems[name, str(error)] += 1
                continue
            stage = int(arenas.records[0].stage)
            place = (stage, one.stages_digest)
            if place not in floors:
                floors[place] = _floor_of(arenas, stage, f"floor-{len(floors)}")
            deaths[name, *place].append(_death(one, arenas))
    order = list(episodes)
    charts = [
        _panel(name, stage, deaths[name, stage, digest], floors[stage, digest], palette)
        for name, stage, digest in sorted(deaths, key=lambda place: (order.index(place[0]), place))
    ]
    pictures = {floor.word: floor.frame for floor in floors.values()}
    return Places(charts, pictures, [f"{name}: {error}" for name, error in problems])


def _end_of(episode: Episode) -> Arenas:
    ((_, arenas),) = deque(resimulate(episode), maxlen=1)  # only to its end is it checked
    return arenas


def _death(episode: Episode, arenas: Arenas) -> Death:
    record = arenas.records[0]
    return Death(
        x=float(record.player.x),
        z=float(record.player.z),
        cause=CAUSES[record.statistics.cause_of_death],
        seed=episode.seed,
        seconds=episode.metrics["survival_seconds"],
    )


def _floor_of(arenas: Arenas, stage: int, word: str) -> _Floor:
    """A stage (0, 1, …) before the player and enemies are on it."""
    models = arenas.loaded.models
    empty = Arenas(arenas.settings, count=1)
    empty.reset(0, (0, 0), stage=stage + 1)
    empty.records[0].player.x = _AWAY
    renderer = Renderer(models, size=SIZE)
    size = models[stage].size
    return _Floor(
        word, renderer.compose(empty.records)[0], Camera.over(size.width, size.depth, SIZE)
    )


def _panel(
    name: str, stage: int, deaths: Sequence[Death], floor: _Floor, palette: ChartColours
) -> Chart:
    counts = Counter(one.cause for one in deaths).most_common()
    traces = [
        _markers([one for one in deaths if one.cause == cause], floor.camera, palette[name])
        for cause, _ in counts
    ]
    image = {"source": floor.word, "xref": "x", "yref": "y", "x": 0, "y": 0, "layer": "below"}
    axis: dict[str, object] = {"visible": False, "fixedrange": True, "constrain": "domain"}
    figure = figure_of(
        traces,
        images=[{**image, "sizex": SIZE, "sizey": SIZE, "sizing": "stretch"}],
        xaxis={**axis, "range": [0, SIZE]},
        yaxis={**axis, "range": [SIZE, 0], "scaleanchor": "x"},
        hovermode="closest",
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
    )
    legend = [Key(_MARKS[cause][1], palette[name], f"{cause} {count}") for cause, count in counts]
    title = (
        f"{name}: {len(deaths)} {'death' if len(deaths) == 1 else 'deaths'} on stage {stage + 1}"
    )
    return Chart(title, figure, legend=legend, height=None)


def _markers(deaths: Sequence[Death], camera: Camera, colour: str) -> object:
    """The places of deaths of one cause."""
    objects = require("plotly.graph_objects", EXTRA)
    points = [camera.project(one.x, one.z) for one in deaths]
    cause = deaths[0].cause
    return objects.Scatter(
        x=[round(column, 1) for column, _ in points],
        y=[round(row, 1) for _, row in points],
        mode="markers",
        marker={
            "symbol": _MARKS[cause][0],
            "size": 10,
            "color": colour,
            "opacity": 0.85,
            "line": {"color": "white", "width": 1.5},
        },
        customdata=[[one.seed, one.seconds, one.x, one.z] for one in deaths],
        hovertemplate="seed %{customdata[0]}, %{customdata[1]:.1f} s<br>"
        "x %{customdata[2]:.1f} m, z %{customdata[3]:.1f} m<extra>" + escape(cause) + "</extra>",
    )
