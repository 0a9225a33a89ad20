"""The worked notebooks run from top to bottom anywhere and say what they say when they run."""

import base64
import io
import re
from itertools import zip_longest

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

from examples import run_notebooks
from tests import ROOT

EXAMPLES = ROOT / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
MOST_BYTES = {"gamepad_numbers": 1_500_000}  # others: 500,000
VIDEOS = {"first_steps": 1, "train_ppo": 1, "claude_plays": 1}  # cells that show one when they run
NEEDS = {"train_ppo": ("stable_baselines3",), "claude_plays": ("anthropic",)}

# The notebook's own code is held to what the tests are held to; the kernel's start is not ours.
STRICT = "import warnings\nwarnings.simplefilter('error')"


def ids(path):
    return path.stem


def kinds_of(cell):
    """What kinds of output a cell has, in the order in which they first come."""
    outputs = [one for one in cell.get("outputs", []) if one.get("name") != "stderr"]
    return list(dict.fromkeys(kind_of(output) for output in outputs))


def kind_of(output):
    data = output.get("data", {})
    if "image/png" in data:
        return "picture"
    return "video" if "<video" in data.get("text/html", "") else output.output_type


def without_videos(cells):
    """What kinds each cell has, but for videos, which are too large to be kept."""
    return [[kind for kind in kinds_of(cell) if kind != "video"] for cell in cells]


NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:e-?\d+)?")
OF_THE_MACHINE = re.compile(r"[\d,]+(?= steps a second|  kB)")
# Cells that show what a training came to: it magnifies how a processor rounds, so another one gives
# other numbers and pictures. Only their kinds are compared.
TRAINED = {
    "record_and_distil": ("cell-7", "cell-9"),
    "train_ppo": ("cell-5", "cell-7", "cell-8"),
    "finetune_nitrogen": ("cell-7", "cell-9"),
}
# What such cells are shortened to here: what they do shows in a small training as in the kept one.
SHORTER = {
    "record_and_distil": {
        "stride=2": "stride=20",
        "epochs=3": "epochs=1",
        "episodes=8, max_steps=600": "episodes=2, max_steps=60",
    },
    "train_ppo": {
        "learn(120_000": "learn(25_000",
        "BenchmarkConfig(episodes=10": "BenchmarkConfig(episodes=3",
    },
    "finetune_nitrogen": {"epochs=8": "epochs=1"},
}
ROUNDING = 0.011  # what another processor, or another library, may make of a last digit


def texts_of(cell):
    """All that a cell prints or shows as text, without colours."""
    parts = [
        output.get("text", "") + output.get("data", {}).get("text/plain", "")
        for output in cell.get("outputs", [])
        if output.get("name") != "stderr" and kind_of(output) != "video"
    ]
    return OF_THE_MACHINE.sub("N", re.sub(r"\x1b\[[\d;]*m", "", "".join(parts)))


def differences(kept, fresh):
    """Words and numbers of two texts that are not the same; fractions may differ by a rounding."""
    words = [NUMBER.sub("#", text).split() for text in (kept, fresh)]
    found = [pair for pair in zip_longest(*words) if pair[0] != pair[1]]
    numbers = [[one.replace(",", "") for one in NUMBER.findall(text)] for text in (kept, fresh)]
    return found + [pair for pair in zip_longest(*numbers, fillvalue="nan") if unlike(*pair)]


def unlike(kept, fresh):
    if "." not in kept:
        return kept != fresh
    return not abs(float(kept) - float(fresh)) <= ROUNDING * max(1.0, abs(float(kept)))


def shorten(cells, name):
    """Lets cells that train do so for a short time."""
    for long, short in SHORTER.get(name, {}).items():
        (cell,) = (one for one in cells if long in one.source)
        assert cell.id in TRAINED[name]
        cell.source = cell.source.replace(long, short)


def pictures_of(cell):
    shown = (output.get("data", {}).get("image/png") for output in cell.get("outputs", []))
    return [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(one))).convert("RGB"), dtype=float)
        for one in shown
        if one
    ]


def test_what_is_stale_is_found_and_what_is_rounded_is_not():
    assert differences("score 30  kills 2", "score 30  kills 3") == [("2", "3")]
    assert differences("aim 0.731", "aim 0.851") == [("0.731", "0.851")]
    assert differences("aim 0.731, 1,138 steps", "aim 0.732, 1,138 steps") == []
    assert differences("it ends", "it ends\nrefused") == [(None, "refused")]


def stale(kept, fresh):
    """What one cell keeps that is not what comes out of it now."""
    found = differences(texts_of(kept), texts_of(fresh))
    for old, new in zip(pictures_of(kept), pictures_of(fresh), strict=True):
        # Another pygame or matplotlib draws edges otherwise; another game draws another picture.
        if old.shape != new.shape or np.abs(old - new).mean() > 3.0:
            found.append(("a picture", "another"))
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=ids)
def test_a_notebook_runs_from_top_to_bottom(path, tmp_path, tmp_path_factory, monkeypatch):
    for module in NEEDS.get(path.stem, ()):
        pytest.importorskip(module)
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)  # Claude is recorded here
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("TMPDIR", str(tmp_path_factory.mktemp("notebook")))
    notebook = nbformat.read(path, as_version=4)
    before = nbformat.read(path, as_version=4).cells
    kept = [kinds_of(cell) for cell in before]
    videos = VIDEOS.get(path.stem, 0)
    shorten(notebook.cells, path.stem)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(STRICT))
    here = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=here).execute()
    assert without_videos(notebook.cells[1:]) == kept
    old_and_new = zip(before, notebook.cells[1:], strict=True)
    trained = TRAINED.get(path.stem, ())
    found = {cell.id: stale(cell, new) for cell, new in old_and_new if cell.id not in trained}
    assert {cell: what for cell, what in found.items() if what} == {}, (
        "run examples/run_notebooks.py"
    )
    assert sum("video" in kinds_of(cell) for cell in notebook.cells) == videos
    assert [found.name for found in tmp_path.iterdir() if found.name != "ipython"] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=ids)
def test_a_notebook_is_kept_with_its_outputs_and_nothing_of_the_machine(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert any("picture" in kinds_of(cell) for cell in code)
    for cell in notebook.cells:
        assert not cell.metadata
        for output in cell.get("outputs", []):
            assert output.get("name") != "stderr"
            assert output.output_type != "error"
            words = output.get("text", "") + output.get("data", {}).get("text/plain", "")
            assert "/tmp" not in words
            assert "/home" not in words
    assert path.stat().st_size < MOST_BYTES.get(path.stem, 500_000)


def test_each_notebook_opens_on_colab_and_installs_itself_there():
    assert {path.stem for path in NOTEBOOKS} == set(run_notebooks.EXTRAS)
    for path in NOTEBOOKS:
        badge, install = nbformat.read(path, as_version=4).cells[:2]
        opening = run_notebooks.opening(path.stem)
        assert [badge.source, install.source] == [cell.source for cell in opening]
        assert f"/blob/main/examples/{path.name})" in badge.source


def test_the_repositorys_address_is_said_in_one_place(monkeypatch, tmp_path):
    (tmp_path / "examples").mkdir()
    named = '[project]\nname = "x"\n[project.urls]\nRepository = "https://github.com/me/game.git"\n'
    (tmp_path / "pyproject.toml").write_text(named)
    monkeypatch.setattr(run_notebooks, "FOLDER", tmp_path / "examples")
    badge, install = run_notebooks.opening("train_ppo")
    assert "github/me/game/blob/main/examples/train_ppo.ipynb" in badge.source
    assert (
        '"arena-breaker-gym[notebooks,rl,video] @ git+https://github.com/me/game"' in install.source
    )
