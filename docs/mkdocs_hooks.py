"""What MkDocs is told besides `mkdocs.yml`: where pages lie, and pages that lie elsewhere.

Model cards, the contributors' page and the change log stand beside what they describe; here they
become pages of the site. A link to any other file of the repository becomes a link to a copy of it.
Diagrams are drawn by a script that npm brings once and the site carries; without npm they stay
their own source.
"""

import hashlib
import logging
import posixpath
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pymdownx.superfences import fence_code_format

PAGES = Path(__file__).parent
ROOT = PAGES.parent
# Pages that lie elsewhere in the repository, and where the site has them.
GUESTS: Mapping[str, str] = MappingProxyType(
    {
        "nitrogen_adapter/weights/README.md": "cards/base.md",
        "agents/arena_breaker_agents/expert_policy/README.md": "cards/expert.md",
        ".github/CONTRIBUTING.md": "contributing.md",
        ".github/SECURITY.md": "security.md",
        "CHANGELOG.md": "changelog.md",
    }
)
MERMAID = "mermaid@11.9.0"
MERMAID_SHA256 = "0b3ed4374117363815daefdadfcc20ff704d7dd4513b55ed803abddcbd86a898"
SCRIPT = "javascripts/mermaid.min.js"
_LOG = logging.getLogger("mkdocs.hooks")
_LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)\s#]+)")
_FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Pages lie beside the configuration, which MkDocs refuses in a file."""
    config.docs_dir = str(PAGES)
    if mermaid() is not None:
        fence = {"name": "mermaid", "class": "mermaid", "format": fence_code_format}
        config.mdx_configs["pymdownx.superfences"] = {"custom_fences": [fence]}
    return config


@cache
def mermaid() -> Path | None:
    """The script that draws diagrams, fetched by npm where it is not here yet; None without it."""
    kept = ROOT / "runs" / "mermaid.min.js"
    if kept.is_file() and _is_mermaid(kept.read_bytes()):
        return kept
    try:
        script = _from_npm()
    except (OSError, subprocess.SubprocessError, tarfile.TarError, KeyError) as error:
        _LOG.info("Diagrams stay text: npm did not bring %s (%s).", MERMAID, error)
        return None
    if not _is_mermaid(script):
        _LOG.warning("%s is not the one that was expected: diagrams stay text.", MERMAID)
        return None
    kept.parent.mkdir(exist_ok=True)
    kept.write_bytes(script)
    return kept


def _is_mermaid(script: bytes) -> bool:
    return hashlib.sha256(script).hexdigest() == MERMAID_SHA256


def _from_npm() -> bytes:
    """The script out of npm's package, of which nothing is run."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", "--pack-destination", folder, MERMAID]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
        (package,) = Path(folder).glob("*.tgz")
        with tarfile.open(package) as files:
            script = files.extractfile("package/dist/mermaid.min.js")
            return script.read() if script else b""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the guests, and a copy of each other file that a page links to."""
    for source, place in GUESTS.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    for source in sorted(linked_files()):
        place = f"files/{source}"
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    if (script := mermaid()) is not None:
        files.append(File.generated(config, SCRIPT, abs_src_path=str(script)))
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


def on_post_page(output: str, *, page: Page, config: MkDocsConfig) -> str:
    """A page with a diagram loads the script; the theme would else ask another site for it."""
    if 'class="mermaid"' not in output:
        return output
    place = posixpath.relpath(SCRIPT, posixpath.dirname(page.url) or ".")
    return output.replace("</head>", f'<script src="{place}"></script></head>', 1)
