"""What MkDocs is told besides `mkdocs.yml`: where pages lie, and pages that lie elsewhere.

Model cards, the contributors' page and the change log stand beside what they tell of; here they
become pages of the site. A link to any other file of the repository becomes a link to a copy of it.
"""

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PAGES = Path(__file__).parent
ROOT = PAGES.parent
# Pages that lie elsewhere in the repository, and where the site has them.
GUESTS: Mapping[str, str] = MappingProxyType(
    {
        "nitrogen_adapter/weights/README.md": "cards/base.md",
        "agents/arena_breaker_agents/expert_policy/README.md": "cards/expert.md",
        "CONTRIBUTING.md": "contributing.md",
        "SECURITY.md": "security.md",
        "CHANGELOG.md": "changelog.md",
    }
)
_LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)\s#]+)")
_FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Pages lie beside the configuration, which MkDocs refuses in a file."""
    config.docs_dir = str(PAGES)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the guests, and a copy of each other file that a page links to."""
    for source, place in GUESTS.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    for source in sorted(linked_files()):
        place = f"files/{source}"
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    return files


def linked_files() -> set[str]:
    """Files outside docs/ that pages link to, from the repository's root, guests left out."""
    found = set()
    for page in PAGES.rglob("*.md"):
        for target in _LINK.findall(page.read_text(encoding="utf-8")):
            source = _from_root(f"docs/{page.relative_to(PAGES).as_posix()}", target)
            if not source.startswith("docs/") and (ROOT / source).is_file():
                found.add(source)
    return found - GUESTS.keys()


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links lead to where the site has what they name."""
    here = page.file.src_uri
    source = next((one for one, place in GUESTS.items() if place == here), f"docs/{here}")
    parts = _FENCE.split(markdown)  # code between fences stays as it is
    parts[::2] = [
        _LINK.sub(lambda found: _in_site(source, here, found[1]), part) for part in parts[::2]
    ]
    return "".join(parts)


def _in_site(source: str, here: str, target: str) -> str:
    """A link of `source`, a file of the repository, as the page `here` of the site has it."""
    named = _from_root(source, target)
    if named.startswith("docs/"):
        place = named.removeprefix("docs/")
    else:
        place = GUESTS.get(named, f"files/{named}")
    return posixpath.relpath(place, posixpath.dirname(here))


def _from_root(source: str, target: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
