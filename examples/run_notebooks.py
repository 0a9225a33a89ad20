"""Runs the notebooks of this folder and keeps them with fresh outputs, without videos.

    python examples/run_notebooks.py                 # all
    python examples/run_notebooks.py first_steps

Each begins with a badge that opens it on Colab and a cell that installs the package there, both
written here. `tests/project/test_notebooks.py` holds what is kept against what comes out, numbers
and pictures included. Run this after you change the game or a notebook.
"""

from __future__ import annotations

import os
import tempfile
import tomllib
from pathlib import Path
from typing import Annotated, Any

import nbformat
import typer
from nbclient import NotebookClient

FOLDER = Path(__file__).parent
EXTRAS = {
    "first_steps": "notebooks,video",
    "benchmark_your_agent": "notebooks",
    "record_and_distil": "notebooks,nitrogen",
    "train_ppo": "notebooks,rl,video",
    "finetune_nitrogen": "notebooks,nitrogen",
    "claude_plays": "notebooks,agents,video",
    "gamepad_numbers": "notebooks,nitrogen",
}
"""The notebooks, and what each needs."""

UNNAMED = "https://github.com/OWNER/arena-breaker-gym"
"""Stands for the repository until `[project.urls]` in pyproject.toml names it."""

BADGE = (
    "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
    "(https://colab.research.google.com/github/{place}/blob/main/examples/{name}.ipynb)"
)
INSTALL = """\
# On Colab this installs the package; where it is installed already, it does nothing.
from importlib.util import find_spec

if find_spec("arena_breaker_gym") is None:
    %pip install --quiet "arena-breaker-gym[{extras}] @ git+{address}\""""
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def refresh(path: Path) -> None:
    """Runs one notebook in an empty folder and writes it back, clean."""
    notebook = nbformat.read(path, as_version=4)
    written = ("badge", "install")
    rest = [cell for cell in notebook.cells if cell.id not in written]
    notebook.cells = [*opening(path.stem), *rest]
    with tempfile.TemporaryDirectory() as folder:
        here = {"metadata": {"path": folder}}
        client = NotebookClient(notebook, timeout=900, kernel_name="python3", resources=here)
        client.execute(env={**os.environ, "TMPDIR": folder})
    nbformat.write(cleaned(notebook), path)


def repository() -> str:
    """The repository's address, which pyproject.toml is the one place to say."""
    text = (FOLDER.parent / "pyproject.toml").read_text(encoding="utf-8")
    named = tomllib.loads(text)["project"].get("urls", {}).get("Repository", UNNAMED)
    return str(named).removesuffix(".git").rstrip("/")


def opening(name: str) -> list[Any]:
    """The two cells that every notebook begins with."""
    address = repository()
    badge = BADGE.format(place=address.removeprefix("https://github.com/"), name=name)
    install = INSTALL.format(extras=EXTRAS[name], address=address)
    return [
        nbformat.v4.new_markdown_cell(badge, id="badge"),
        nbformat.v4.new_code_cell(install, id="install"),
    ]


def cleaned(notebook: Any) -> Any:
    """A notebook without what depends on the machine, without videos, pictures once."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({})
        if cell.cell_type == "code":
            cell.outputs = _joined([output for output in cell.outputs if _is_kept(output)])
    return notebook


def _is_kept(output: Any) -> bool:
    """Whether an output belongs to the notebook: no warning, no video, which is too large."""
    html = output.get("data", {}).get("text/html", "")
    return output.get("name") != "stderr" and "<video" not in html


def _joined(outputs: list[Any]) -> list[Any]:
    """Prints that come one after the other as one; where it cuts them is chance."""
    joined: list[Any] = []
    for output in outputs:
        output.get("data", {}).pop("image/jpeg", None)  # the same picture again
        streams = output.output_type == "stream" and joined and joined[-1].get("name")
        if streams and output.name == joined[-1].name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def main(names: Annotated[list[str] | None, typer.Argument(help="Notebooks; all.")] = None) -> None:
    """Runs notebooks and keeps their outputs."""
    for name in names or EXTRAS:
        if name not in EXTRAS:
            raise typer.BadParameter(f"there is no {name}; known are {', '.join(EXTRAS)}.")
        refresh(FOLDER / f"{name}.ipynb")
        print(f"{name}: run")


if __name__ == "__main__":
    typer.run(main)
