"""Runs the notebooks of this folder and keeps them with fresh outputs, but for videos.

    python examples/run_notebooks.py                 # all
    python examples/run_notebooks.py first_steps

`tests/test_notebooks.py` holds what is kept against what comes out, numbers and pictures included;
whoever changes the game or a notebook runs this.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

import nbformat
import typer
from nbclient import NotebookClient

FOLDER = Path(__file__).parent
ALL = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def refresh(path: Path) -> None:
    """Runs one notebook in an empty folder and writes it back, clean."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        here = {"metadata": {"path": folder}}
        NotebookClient(notebook, timeout=120, kernel_name="python3", resources=here).execute()
    nbformat.write(cleaned(notebook), path)


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
    for name in names or ALL:
        if name not in ALL:
            raise typer.BadParameter(f"there is no {name}; known are {', '.join(ALL)}.")
        refresh(FOLDER / f"{name}.ipynb")
        print(f"{name}: run")


if __name__ == "__main__":
    typer.run(main)
