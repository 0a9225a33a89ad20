"""`data_folder`: where a person's games and best scores are kept between sessions."""

import os
from pathlib import Path

import platformdirs

FOLDER_VARIABLE = "ARENA_BREAKER_DATA"


def data_folder() -> Path:
    """`$ARENA_BREAKER_DATA`, else the user's data folder.

    For a user without a home it is one that cannot be: "~" would become a folder where we are.
    """
    if os.environ.get(FOLDER_VARIABLE):
        return Path(os.environ[FOLDER_VARIABLE])
    folder = Path(platformdirs.user_data_dir("arena-breaker-gym"))
    return folder if folder.is_absolute() else Path(os.devnull) / folder.name
