"""The run report: one page that needs nothing else, read as a browser shows it."""

import functools
import json
import math
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("plotly")
pytest.importorskip("imageio_ffmpeg")
sync_api = pytest.importorskip("playwright.sync_api")

from arena_breaker_agents.baselines import IdleAgent, RandomAgent  # noqa: E402
from arena_breaker_agents.scripted import ScriptedBaseline  # noqa: E402
from arena_breaker_gym.batch.arenas import Arenas  # noqa: E402
from arena_breaker_gym.cli import main  # noqa: E402
from arena_breaker_gym.rendering.renderer import Renderer  # noqa: E402
from arena_breaker_gym.report import Curve, CurveLine, Report, VideoPanel, write_report  # noqa: E402
from arena_breaker_gym.report.charts import (  # noqa: E402
    ChartColours,
    aim_lengths,
    survival,
)
from arena_breaker_gym.report.report import verdict_of  # noqa: E402
from arena_breaker_gym.report.writing import places_of  # noqa: E402
from arena_breaker_gym.rollout import resimulate, rollout  # noqa: E402
from arena_breaker_gym.rollout.episode import MEASURED  # noqa: E402
from arena_breaker_gym.rollout.metrics import rows_of  # noqa: E402
from arena_breaker_gym.rollout.video import export_video  # noqa: E402
from arena_breaker_gym.settings import Settings  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed")
SCREENS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]
HOSTILE = "<script>alert(1)</script>"
COMMAND = "arena-breaker benchmark idle random scripted --episodes 50 --seed 1000 --out runs/mine"
AGENTS = {"idle": IdleAgent, "random": RandomAgent, "scripted": ScriptedBaseline}


@functools.cache
def played(name, *, fix=True, stage=1, episodes=4):
    env = {"observation": "state", "point_blank_fix": fix}
    return rollout(AGENTS[name](), episodes=episodes, seed=0, env=env, stage=stage, max_steps=900)


def everything(folder):
    """A report with every section, of real play and a real film."""
    episodes = {name: played(name) for name in AGENTS}
    episodes["scripted, from stage 3"] = played("scripted", stage=3)
    rows = [row for name in AGENTS for row in rows_of(name, played(name))]
    rows += rows_of("random", played("random", fix=False))
    films = []
    for name in ("idle", "random"):
        film = export_video(played(name)[0], folder / f"{name}.mp4", size=128)
        films.append(VideoPanel(caption=f"{name}, seed 0", path=film.path))
    steps = list(range(0, 400, 20))
    error = [3 * math.exp(-step / 150) for step in steps]
    band = {"low": [0.8 * one for one in error], "high": [1.2 * one for one in error]}
    lines = [
        CurveLine(name="scripted", x=steps, y=error, **band),
        CurveLine(name="held out", x=[0], y=[1]),
    ]
    return Report(
        title=f"Everything {HOSTILE}",
        verdict=["Scripted kills most.", f"It says {HOSTILE}."],
        rows=rows,
        episodes=episodes,
        curves=[Curve(title="Error", x_label="steps", y_label="squared error", lines=lines)],
        videos=films,
        settings={"seed": 0, "stages": None, "reward": {"score": 0.1}, "point_blank_fix": True},
        timings_s={"evaluation": 12.34, "posttrain": 250},
        command=COMMAND,
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of everything."""
    folder = tmp_path_factory.mktemp("report")
    return write_report(everything(folder), folder / "report.html")


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


def opened(browser, path, *, width=1280, scheme="light", guarded=False):
    """A page in a tab, what it asked the network for, and what it complained of.

    Without its guard, the page's own policy, nothing but the page keeps it from asking.
    """
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=not guarded
    )
    tab = context.new_page()
    asked, said = [], []
    context.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.goto(path.as_uri())
    for chart in tab.locator(".chart").all():
        chart.locator(".trace").first.wait_for(state="attached")
    return tab, asked, said


@pytest.fixture(scope="module")
def tab(browser, page):
    """The page of everything in a wide tab; tests leave it as they find it."""
    tab, *_ = opened(browser, page)
    return tab


@needs_browser
@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_the_page_shows_on_any_screen_and_asks_for_nothing(browser, page, tmp_path, width, scheme):
    tab, asked, said = opened(browser, page, width=width, scheme=scheme)
    films = "[...document.querySelectorAll('video')]"
    tab.wait_for_function(f"{films}.every(film => film.readyState >= 2)")
    tab.screenshot(path=tmp_path / f"{width}_{scheme}.png", full_page=True)
    assert [url for url in asked if not url.startswith("data:")] == [page.as_uri()]
    assert said == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    box = tab.locator("#results .scroll")
    assert box.evaluate("box => box.scrollWidth > box.clientWidth")
    assert box.bounding_box()["width"] <= width
    tab.context.close()


@needs_browser
def test_the_page_forbids_itself_the_network(browser, page):
    tab, asked, said = opened(browser, page, guarded=True)
    assert (len([url for url in asked if not url.startswith("data:")]), said) == (1, [])
    tab.evaluate("fetch('http://127.0.0.1:9/').catch(() => {})")
    assert len(said) >= 1 and all("Content Security Policy" in one for one in said)
    tab.context.close()


@needs_browser
def test_a_film_plays_to_pictures(tab):
    film = tab.locator("video").first
    assert film.evaluate("film => film.muted && film.loop && film.controls && film.playsInline")
    film.evaluate("film => film.play()")
    tab.wait_for_function("document.querySelector('video').currentTime > 0.2")
    colours = film.evaluate(
        """film => {
          const canvas = new OffscreenCanvas(film.videoWidth, film.videoHeight);
          const pen = canvas.getContext('2d');
          pen.drawImage(film, 0, 0);
          return new Set(pen.getImageData(0, 0, canvas.width, canvas.height).data).size;
        }"""
    )
    assert film.evaluate("film => [film.videoWidth, film.videoHeight]") == [128, 128]
    assert colours > 50


@needs_browser
def test_charts_change_colour_with_the_screen(browser, page):
    tab, *_ = opened(browser, page)
    ink = "getComputedStyle(document.querySelector('.chart .xtick text')).fill"
    paper = "getComputedStyle(document.body).backgroundColor"
    before = tab.evaluate(ink), tab.evaluate(paper)
    tab.emulate_media(color_scheme="dark")
    tab.wait_for_function(f"{ink} !== {json.dumps(before[0])}")
    assert tab.evaluate(paper) != before[1]
    assert [sum(channels(one)) > 384 for one in before] == [False, True]
    assert sum(channels(tab.evaluate(ink))) > 384 > sum(channels(tab.evaluate(paper)))
    tab.context.close()


def channels(colour):
    return [int(number) for number in re.findall(r"\d+", colour)[:3]]


@needs_browser
def test_sections_hold_what_the_report_says(tab):
    ids = tab.evaluate("[...document.querySelectorAll('section')].map(one => one.id)")
    first = ["verdict", "results", "play", "learning", "deaths", "films"]
    assert ids == [*first, "settings", "timings", "command"]
    assert tab.locator("h1").inner_text() == f"Everything {HOSTILE}"
    assert HOSTILE in tab.locator("#verdict").inner_text()
    heads = tab.locator(".results thead th").all_inner_texts()
    meanings = tab.locator("#results dt").all_text_contents()
    assert heads == meanings and "kills" in heads
    column = heads.index("point-blank shots")
    lines = [line.locator("th, td").all_inner_texts() for line in tab.locator("tbody tr").all()[:4]]
    assert [line[column] for line in lines] == ["hit (fix)"] * 3 + ["pass through (bug)"]
    kills = rows_of("scripted", played("scripted"))[0]["kills"]
    words = f"{kills['mean']:.2f}\n{kills['low']:.2f} to {kills['high']:.2f}"
    assert lines[2][heads.index("kills")] == words
    bars = tab.locator("#play .chart").first
    assert bars.locator(".bars .point").count() == bars.locator(".errorbar").count() == 4
    assert tab.locator("#command code").inner_text() == COMMAND
    timings = tab.locator("#timings td").all_inner_texts()
    assert timings == ["12.3 s", "4 min 10 s"]


def test_the_table_says_what_was_cut_short_and_how_long_a_game_waited(tmp_path):
    (tutor,) = rows_of("tutor", played("scripted"))
    ticks = {"mean": 7.5, "low": 7.0, "high": 8.0}
    student = {**tutor, "agent": "student", "latency": MEASURED, "latency_ticks": ticks}
    student["looks"] = ticks
    student["passes"] = {"done": 2.56, "planned": 4}
    whole = {**student, "agent": "whole", "passes": {"done": 4, "planned": 4}}
    write_report(Report(title="Cut short", rows=[tutor, student, whole]), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    cells = re.findall(r"<td>([^<]*)", page.split("<tbody>")[1].split("</tbody>")[0])
    for text, count in (
        ("the game waits", 1),
        ("real time, 125 ms", 2),
        ("2.5 of 4 passes", 1),
        ("whole", 1),
    ):
        assert cells.count(text) == count, text
    assert "training" not in page_of_rows([tutor], tmp_path)


def page_of_rows(rows, folder):
    """The headings of a page's table."""
    path = write_report(Report(title="Rows", rows=rows), folder / "rows.html")
    return re.findall(r'<th scope="col">([^<]*)', path.read_text(encoding="utf-8"))


@needs_browser
def test_deaths_lie_over_the_stage_a_marker_each(tab):
    dead = [one for some in everyone() for one in some if one.reason.startswith("killed")]
    panels = tab.locator("#deaths .chart")
    assert tab.locator("#deaths .point").count() == len(dead)
    for at in range(panels.count()):
        picture = panels.nth(at).locator(".layer-below image, .imagelayer image").first
        assert picture.get_attribute("href").startswith("data:image/png;base64,")
        drawn, box = picture.bounding_box(), panels.nth(at).bounding_box()
        assert drawn["width"] == pytest.approx(box["width"], abs=2)
        assert box["height"] == pytest.approx(box["width"], abs=2)
    legends = " ".join(tab.locator("#deaths .legend li").all_inner_texts())
    assert sum(map(int, re.findall(r"(\d+)", legends))) == len(dead)


def everyone():
    return [*(played(name) for name in AGENTS), played("scripted", stage=3)]


@needs_browser
def test_an_empty_report_is_a_title(browser, tmp_path):
    path = write_report(Report(title="Nothing yet"), tmp_path / "report.html")
    tab, _, said = opened(browser, path, width=390)
    assert tab.locator("main").inner_text() == "Nothing yet"
    assert (tab.locator("section").count(), said) == (0, [])
    tab.context.close()


@needs_browser
def test_long_words_of_settings_fit_a_phone(browser, tmp_path):
    words = "learning_rate_factors vision_encoder.thin_out.embeddings.patches 4.0"
    report = Report(title="x", settings={"realtime_evaluations": words})
    tab, *_ = opened(browser, write_report(report, tmp_path / "report.html"), width=390)
    box = tab.locator("#settings .scroll")
    assert box.evaluate("box => box.scrollWidth <= box.clientWidth")
    tab.context.close()


@needs_browser
def test_names_are_words_in_charts_too(browser, tmp_path):
    name = "<b>bold</b> & <img src=x onerror=alert(1)>"
    rows = rows_of(name, played("random")) + rows_of("idle", played("idle"))
    report = Report(title="x", rows=rows, episodes={name: played("random")})
    page = write_report(report, tmp_path / "report.html")
    tab, asked, said = opened(browser, page, width=390)
    agent = tab.locator("tbody th").first.bounding_box()
    assert agent["x"] + agent["width"] < 0.6 * 390  # figures still have room beside a long name
    assert tab.locator(".chart .annotation text").first.text_content() == name
    assert tab.locator(".legend li").first.inner_text().endswith(name)
    assert (len(asked), said) == (1, [])
    tab.context.close()


def test_the_page_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    (tmp_path / "text.mp4").write_text("no film at all")
    for film, sentence in (("gone.mp4", "No such file"), ("text.mp4", "this is no MP4 film")):
        panel = VideoPanel(caption="x", path=tmp_path / film)
        with pytest.raises(ValueError, match=f"{film}: {sentence}"):
            write_report(Report(title="x", videos=[panel]), path)
    assert path.read_text() == "old"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["report.html", "text.mp4"]


def test_equal_reports_are_equal_pages(tmp_path):
    report = Report(title="x", rows=rows_of("idle", played("idle")), episodes={"a": played("idle")})
    pages = [write_report(report, tmp_path / f"{at}.html").read_bytes() for at in range(2)]
    assert pages[0] == pages[1]


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ({"y": [1]}, "as many values as points, got lengths 2, 1"),
        ({"low": [0, 0]}, "both ends of its band, or neither"),
        ({"low": [0, 0], "high": [1]}, "got lengths 2, 2, 2, 1"),
    ],
)
def test_a_line_with_loose_ends_is_refused(bad, sentence):
    with pytest.raises(ValueError, match=sentence):
        CurveLine(**{"name": "x", "x": [0, 1], "y": [1, 2], **bad})


def test_aim_sticks_are_measured_as_the_game_takes_them():
    episode = played("random")[0]
    actions = np.zeros((4, 5), np.float32)
    actions[:, 2:4] = [[0.3, 0.0], [0.0, -0.5], [1.0, 1.0], [0.0, 0.0]]
    failed = replace(episode, status="agent failed")
    lengths = aim_lengths([replace(episode, actions=actions), failed])
    assert lengths == pytest.approx([0.3, 0.5, 1.0, 0.0])
    firing = np.mean(aim_lengths([episode]) >= 0.3)
    assert firing == pytest.approx(episode.metrics["firing_share"], abs=0.01)


def ended(second, status="completed", *, victory=0.0):
    one = played("idle")[0]
    metrics = {**one.metrics, "survival_seconds": second, "victory": victory}
    return replace(one, status=status, metrics=metrics)


def test_survival_counts_the_dead_and_lets_winners_live():
    seconds, shares = survival(
        [
            ended(2.0),
            ended(3.0, "time limit"),
            ended(3.5, victory=1.0),
            ended(4.0),
            ended(1.0, "agent failed"),
        ]
    )
    assert seconds.tolist() == [0.0, 2.0, 4.0]
    assert shares == pytest.approx([1.0, 0.75, 0.375])
    assert survival([ended(5.0, "time limit")])[1].tolist() == [1.0, 1.0]


def test_places_of_death_are_where_the_replay_ends():
    episodes = {"scripted": played("scripted", stage=3)}
    places = places_of(episodes, ChartColours(episodes))
    found = {
        mark[0]: (mark[2], mark[3])
        for chart in places.charts
        for trace in chart.figure["data"]
        for mark in trace["customdata"]
    }
    dead = [one for one in episodes["scripted"] if one.reason.startswith("killed")]
    assert dead and sorted(found) == [one.seed for one in dead]
    for one in dead:
        for _, arenas in resimulate(one):
            player = arenas.records[0].player
        assert found[one.seed] == (player.x, player.z)


def test_the_stage_is_drawn_with_nobody_on_it():
    (frame,) = places_of({"idle": played("idle")}, ChartColours(["idle"])).pictures.values()
    arenas = Arenas(Settings(), count=1)
    arenas.reset(0, (0, 0), stage=1)
    begun = Renderer(arenas.loaded.models, size=len(frame)).compose(arenas.records)[0]
    changed = np.argwhere((begun != frame).any(axis=2)) / len(frame)
    assert len(changed) > 100 and np.abs(changed - 0.5).max() < 0.1


def test_an_episode_that_does_not_replay_is_named_not_shown():
    changed = replace(played("idle")[0], final_hash="0" * 64)
    places = places_of({"idle": [changed]}, ChartColours(["idle"]))
    assert (places.charts, len(places.problems)) == ([], 1)
    assert "does not end as recorded" in places.problems[0]


def test_an_agent_has_one_colour_and_its_variants_dashes():
    palette = ChartColours(["a", "b"], ["a, bug", "a, fix", "b", "loss"])
    assert palette["a"] == palette["a, bug"] == palette["a, fix"]
    assert len({palette[name] for name in ("a", "b", "loss")}) == 3
    assert palette.stroke("a, bug") != palette.stroke("a, fix")
    assert palette.stroke("b") == palette.stroke("loss") == palette.stroke("a, bug")


def test_the_verdict_says_who_kills_most_and_whether_that_is_sure():
    rows = [row for name in AGENTS for row in rows_of(name, played(name))]
    (sentence,) = verdict_of(rows)
    assert "scripted kills most" in sentence and "random is next" in sentence
    assert sentence.endswith("the intervals do not overlap.")
    failed = replace(played("idle")[0], status="agent failed")
    assert "no episode was played to an end" in verdict_of(rows_of("idle", [failed]))[0]
    assert verdict_of([]) == []


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the command line in this process: status, standard output, standard error."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["arena-breaker", *arguments])
        monkeypatch.setattr(sys, "path", list(sys.path))
        with pytest.raises(SystemExit) as stopped:
            main()
        return int(stopped.value.code or 0), *capsys.readouterr()

    return call


@needs_browser
def test_a_benchmark_leaves_its_page(run, browser, tmp_path):
    out = tmp_path / "my runs"
    arguments = ["benchmark", "idle", "random", "-n", "2", "--stage", "1", "--stage", "2"]
    status, printed, err = run(*arguments, "--out", str(out), "--json")
    assert status == 0 and len(json.loads(printed)["rows"]) == 4
    assert f"Report: {out / 'report.html'}" in err
    tab, _, said = opened(browser, out / "report.html", width=390, scheme="dark")
    assert tab.locator("#command code").inner_text().endswith(f"--out '{out}' --json")
    assert tab.locator("#verdict p").count() == 2
    names = tab.locator("#play .legend").first.locator("li").all_inner_texts()
    assert "idle, from stage 2" in names[1]
    assert said == []
    tab.context.close()


def test_an_agent_of_ones_own_has_a_page_too_under_the_name_it_gives_itself(
    run, tmp_path, monkeypatch
):
    (tmp_path / "page_of_mine.py").write_text(
        "from arena_breaker_agents.baselines import IdleAgent\n\n\n"
        "class Mine(IdleAgent):\n    name = 'my best'\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    status, _, err = run("benchmark", "page_of_mine:Mine", "-n", "1", "--out", "out")
    assert status == 0, err
    assert "my best" in (tmp_path / "out/report.html").read_text(encoding="utf-8")


def test_without_the_extra_a_benchmark_says_what_to_install(tmp_path):
    code = (
        "import sys\nsys.modules['plotly'] = None\nfrom arena_breaker_gym.cli import main\nmain()\n"
    )
    command = [sys.executable, "-c", code, "benchmark", "idle", "-n", "1", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert 'pip install "arena-breaker-gym[report]"' in done.stderr.splitlines()[-1]
    assert (tmp_path / "results.json").exists() and not (tmp_path / "report.html").exists()
