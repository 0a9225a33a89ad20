"""`write_report`: a report as one HTML page that needs nothing else, neither file nor network."""

import base64
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from arena_breaker_gym._runtime.extras import require
from arena_breaker_gym._runtime.files import written_whole
from arena_breaker_gym.rendering.frames import png_of
from arena_breaker_gym.report.charts import (
    EXTRA,
    ChartColours,
    aim_chart,
    curve_chart,
    kills_chart,
    survival_chart,
)
from arena_breaker_gym.report.deaths import places_of
from arena_breaker_gym.report.report import Report, VideoPanel
from arena_breaker_gym.report.table import table_of


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


def _parts(report: Report) -> dict[str, Any]:
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


def _words(value: Any) -> str:
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
