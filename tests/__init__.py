"""Tests, in the folders of what they show; what several of them need lies here."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
DATA = Path(__file__).parent / "data"
