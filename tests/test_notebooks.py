"""The worked notebooks run from top to bottom anywhere, without a warning, and are kept clean."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[1] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
MOST_BYTES = {"first_steps": 300_000, "gamepad_numbers": 1_500_000}
VIDEOS = {"first_steps": 1}  # cells that show one when they run

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


@pytest.mark.parametrize("path", NOTEBOOKS, ids=ids)
def test_a_notebook_runs_from_top_to_bottom(path, tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(path, as_version=4)
    kept = [kinds_of(cell) for cell in notebook.cells]
    videos = VIDEOS.get(path.stem, 0)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(STRICT))
    here = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=here).execute()
    assert without_videos(notebook.cells[1:]) == kept
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
    assert path.stat().st_size < MOST_BYTES[path.stem]
