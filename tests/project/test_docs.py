"""The pages keep their word: code runs, links lead somewhere, tests that are named are there."""

import contextlib
import functools
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from urllib.parse import unquote

import pytest

import arena_breaker_gym.rollout
from arena_breaker_gym.cli import main
from tests import ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / ".github/CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
# Pages every command of which is run, but for those that install.
RUN_WHOLE = ("docs/get_started.md", *(f"docs/recipes/{n}.md" for n in ("agent", "stage", "skin")))
# What a reader waits for and a test need not: a tenth of that training writes the same files.
SHORTER = {"--steps 100000": "--steps 10000 --threads 1"}
_BLOCK = re.compile(r"(?:^<!-- ([^>]*) -->\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_INSTALLS = ("git ", "pip ", "python3 -m venv")
# What a page's code needs that only an extra brings.
NEEDS = {"docs/finetune.md": ("pyarrow", "PIL"), "docs/report.md": ("plotly", "jinja2")}
PICTURES = [f"docs/images/{name}" for name in ("payoff.gif", "stages.png", "skins.png")]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def name_of(page):
    return page.relative_to(ROOT).as_posix()


def blocks_of(page):
    """Marker, language and text of each fenced block."""
    return _BLOCK.findall(page.read_text(encoding="utf-8"))


def runs(marker):
    return not marker.startswith("not run: ")


WITH_CODE = [
    page
    for page in PAGES
    if any(kind == "python" and runs(marker) for marker, kind, _ in blocks_of(page))
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A reader's working folder; what is imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


def write_files(page, folder):
    """Writes each block that the page tells its reader to save."""
    for marker, _, text in blocks_of(page):
        if marker.startswith("file: "):
            (folder / marker.removeprefix("file: ")).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("page", WITH_CODE, ids=name_of)
def test_python_on_a_page_runs_from_top_to_bottom(page, folder, monkeypatch, capsys):
    for module in NEEDS.get(name_of(page), ()):
        pytest.importorskip(module)
    write_files(page, folder)
    # Whether the calls are right shows in some seconds of each game.
    short = functools.partial(arena_breaker_gym.rollout.rollout, max_steps=150)
    monkeypatch.setattr(arena_breaker_gym.rollout, "rollout", short)
    names = {"__name__": "page"}
    for marker, kind, text in blocks_of(page):
        if kind == "python" and runs(marker):
            exec(compile(text, name_of(page), "exec"), names)


def run_script(script, *arguments):
    command = [sys.executable, str(script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def shortened(command):
    for long, short in SHORTER.items():
        command = command.replace(long, short)
    return command


def test_the_readme_leads_to_an_agent_that_was_trained_and_a_film_to_share():
    """Its commands are run by the next test."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "(docs/get_started.md)" in readme
    path = [text for _, kind, text in blocks_of(DOCS / "get_started.md") if kind == "bash"]
    assert "python examples/train_ppo.py" in "".join(path)
    assert path[-1].startswith("arena-breaker video")


@pytest.mark.parametrize("name", RUN_WHOLE)
def test_every_command_of_a_page_runs_in_its_order(name, folder, monkeypatch, capsys):
    for module in ("imageio_ffmpeg", "plotly", "stable_baselines3"):
        pytest.importorskip(module)
    write_files(ROOT / name, folder)
    commands = [
        line
        for marker, kind, text in blocks_of(ROOT / name)
        if kind == "bash" and runs(marker)
        for line in text.splitlines()
        if not line.startswith(_INSTALLS)
    ]
    assert commands
    for command in map(shortened, commands):
        program, *arguments = shlex.split(command, comments=True)
        if program == "python":  # a script of the checkout, in which the reader stands
            run_script(ROOT / arguments[0], *arguments[1:])
            continue
        assert program == "arena-breaker", command
        monkeypatch.setattr(sys, "argv", [program, *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code, f"{command}\n{capsys.readouterr().err}"


def test_code_that_is_not_run_says_why():
    markers = [marker for page in PAGES for marker, kind, _ in blocks_of(page) if kind == "python"]
    for marker in markers:
        assert not marker.startswith("not run") or re.match(r"not run: \w.{8,}", marker), marker


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_and_image_is_there(page):
    targets = [
        target
        for target in _LINK.findall(page.read_text(encoding="utf-8"))
        if not re.match(r"\w+:", target)
    ]
    assert [target for target in targets if not leads_somewhere(page, target)] == []


def leads_somewhere(page, target):
    """Whether a relative link's file is there, and its heading, too."""
    file, _, anchor = unquote(target).partition("#")
    place = page.parent / file if file else page
    return place.exists() and (not anchor or place.suffix != ".md" or anchor in anchors_of(place))


def anchors_of(page):
    """Anchors of a page's headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).strip().replace(" ", "-") for one in headings}


@pytest.mark.parametrize(
    ("page", "least"),
    [("docs/reproducibility.md", 15), ("docs/trust.md", 15), (".github/SECURITY.md", 5)],
)
def test_every_promise_names_a_test_that_is_there(page, least):
    named = _TEST.findall((ROOT / page).read_text(encoding="utf-8"))
    assert len(named) > least
    for file, test in named:
        assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}::{test}"


@pytest.mark.parametrize("address", ["", "https://github.com/me/game.git"])
def test_no_link_of_the_long_description_breaks_on_an_index_page(address, tmp_path):
    core = pytest.importorskip("hatchling.metadata.core")
    manager = pytest.importorskip("hatchling.plugin.manager")
    named = f'\n[project.urls]\nRepository = "{address}"\n' if address else ""
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text() + named)
    for file in ("README.md", "docs/hatch_hooks.py"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    about = core.ProjectMetadata(str(tmp_path), manager.PluginManager()).core
    assert about.readme_content_type == "text/markdown"
    links = _LINK.findall(about.readme)
    assert len(links) > (30 if address else 5)
    assert [link for link in links if not link.startswith("https://")] == []
    pictures = re.findall(r"!\[[^\]]*\]\((\S+)\)", about.readme)
    assert pictures == [f"{address[:-4]}/raw/HEAD/{one}" for one in PICTURES if address]
    assert blocks_of(tmp_path / "README.md") == _BLOCK.findall(about.readme)


def test_the_environments_page_is_what_its_script_writes():
    spec = spec_from_file_location("write_page", ROOT / "examples/write_environment_page.py")
    script = module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.page() == (DOCS / "environment.md").read_text(encoding="utf-8"), (
        "run `python examples/write_environment_page.py`"
    )


def test_every_page_is_in_the_sites_navigation_once():
    config = (DOCS / "mkdocs.yml").read_text(encoding="utf-8")
    listed = re.findall(r"[\w/]+\.md", config.partition("\nnav:")[2])
    assert len(set(listed)) == len(listed)
    assert {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")} <= set(listed)


def test_the_index_of_answers_leads_to_every_page():
    named = {
        target.partition("#")[0] for target in _LINK.findall((DOCS / "answers.md").read_text())
    }
    pages = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    assert pages - named == {"index.md", "answers.md"}
    notebooks = {f"../examples/{one.name}" for one in (ROOT / "examples").glob("*.ipynb")}
    assert notebooks <= named


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built as the configuration's first line says; warnings fail it."""
    for module in ("mkdocs", "material", "mkdocstrings", "mkdocstrings_handlers.python"):
        if find_spec(module.partition(".")[0]) is None or find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q"]
    done = subprocess.run(
        [*command, "-f", "docs/mkdocs.yml", "-d", str(out)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def chromium():
    sync_api = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("Debian's chromium is not installed")
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextlib.contextmanager
def opened(chromium, **screen):
    """A tab, what its console says and what it asks for."""
    tab, said, asked = chromium.new_page(**screen), [], []
    tab.set_default_timeout(120_000)  # of a busy machine
    tab.on("console", lambda one: said.append(one.text) if one.type == "error" else None)
    tab.on("pageerror", lambda one: said.append(str(one)))
    tab.on("request", lambda one: asked.append(one.url))
    yield tab
    tab.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def test_every_page_of_the_site_opens_without_an_error_and_with_nothing_from_elsewhere(
    site, chromium
):
    with opened(chromium) as tab:
        for page in sorted(set(site.rglob("*.html")) - {site / "404.html"}):  # that one: a server's
            tab.goto(page.as_uri())
            assert tab.locator("article").count() == 1, page
        tab.goto((site / "index.html").as_uri())
        film = tab.locator("article img").first
        assert film.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
        assert tab.locator("article a", has_text="Fine-tune it on your game").count() == 1


SCREENS = {"desktop": (1280, 900), "phone": (390, 844)}
SHOWN = ("index", "answers", "architecture", "environment", "recipes/agent")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
def test_the_site_fits_its_screen_in_light_and_dark(site, chromium, screen, scheme):
    """Pictures of it lie in runs/site_screens afterwards."""
    width, height = SCREENS[screen]
    with opened(chromium, viewport={"width": width, "height": height}, color_scheme=scheme) as tab:
        for name in SHOWN:
            tab.goto((site / f"{name}.html").as_uri())
            tab.wait_for_load_state("networkidle")
            assert tab.evaluate("document.documentElement.scrollWidth") <= width, name
            colour = tab.evaluate("getComputedStyle(document.body).backgroundColor")
            shade = sum(map(int, re.findall(r"\d+", colour)[:3])) / 3
            assert (shade > 127) == (scheme == "light"), name
            shot = f"{name.replace('/', '_')}_{screen}_{scheme}.png"
            tab.screenshot(path=ROOT / "runs" / "site_screens" / shot)


def test_a_diagram_is_drawn(site, chromium):
    if not (site / "javascripts/mermaid.min.js").is_file():
        pytest.skip("npm did not bring what draws diagrams")
    with opened(chromium) as tab:
        tab.goto((site / "architecture.html").as_uri())
        drawn = tab.locator("div.mermaid")
        drawn.wait_for()
        assert drawn.bounding_box()["height"] > 300
        assert tab.locator("pre.mermaid").count() == 0


def test_each_page_and_what_it_links_to_is_in_the_site(site):
    links = [
        (page, unquote(target))
        for page in site.rglob("*.html")
        for target in re.findall(r'(?:href|src)="([^"#?]+)', page.read_text(encoding="utf-8"))
        if not re.match(r"\w+:|/", target)
    ]
    assert [link for link in links if not (link[0].parent / link[1]).exists()] == []
    assert (site / "environment.html").exists()
    assert "ArenaBreakerEnv" in (site / "reference/environment.html").read_text(encoding="utf-8")
