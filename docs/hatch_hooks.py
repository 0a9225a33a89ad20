"""What Hatch is told besides `pyproject.toml`: the long description, README as an index shows it.

An index knows nothing of the repository, where README's links and pictures lead to. They become
addresses below `[project.urls]`'s `Repository`; until that is named, words stay without their link
and pictures stay away.
"""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?P<picture>!?)\[(?P<words>[^\]]*)\]\((?!\w+:|#)(?P<file>[^)\s]+)\)")
_GAP = re.compile(r"\n{3,}")


class LongDescription(MetadataHookInterface):
    """README, with links that lead somewhere from any page."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Adds the long description to what `[project]` says."""
        readme = Path(self.root, "README.md").read_text(encoding="utf-8")
        address = metadata.get("urls", {}).get("Repository", "").removesuffix(".git").rstrip("/")
        text = long_description(readme, address)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


def long_description(readme: str, address: str) -> str:
    """README as a page that stands alone; code between fences stays as it is.

    Args:
        readme: As it stands in the repository.
        address: The repository's; "" while it has none.
    """

    def lead(link: re.Match[str]) -> str:
        words = "" if link["picture"] else link["words"]
        kind = "raw" if link["picture"] else "blob"
        whole = f"{link['picture']}[{link['words']}]({address}/{kind}/HEAD/{link['file']})"
        return whole if address else words

    parts = _FENCE.split(readme)
    parts[::2] = [_GAP.sub("\n\n", _LINK.sub(lead, part)) for part in parts[::2]]
    return "".join(parts)
