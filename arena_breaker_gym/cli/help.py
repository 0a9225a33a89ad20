"""How `--help` looks: plain text for 80 columns, nothing cut off, examples that can be copied."""

import inspect
import re
import textwrap
from collections.abc import Mapping
from typing import Any

from typer.core import TyperCommand, TyperGroup

_AS_IT_STANDS = "\b\n"  # what follows keeps its lines
_TYPES: Mapping[str, str] = {r"<list\[(.*)\]>": r"<\1>", r" range>": ">", "<Path>": "<path>"}


def _plain(name: str) -> str:
    """An option's name and what it takes, without words that only Python's types need."""
    for typed, plain in _TYPES.items():
        name = re.sub(typed, plain, name)
    return name


def _copyable(text: str | None, width: int) -> str | None:
    """A help text in which an example that takes several lines is still one command."""
    if not text:
        return text
    paragraphs = re.split(r"\n{2,}", inspect.cleandoc(text))
    return "\n\n".join(_one_command(one, width) for one in paragraphs)


def _one_command(paragraph: str, width: int) -> str:
    example = " ".join(paragraph.split())
    if not example.startswith("Example: ") or len(example) <= width:
        return paragraph
    lines = textwrap.wrap(
        example, width - 2, subsequent_indent="    ", break_on_hyphens=False, break_long_words=False
    )
    return _AS_IT_STANDS + " \\\n".join(lines)


class Command(TyperCommand):
    """A command whose help keeps its groups of options where help is plain text.

    Typer shows the groups (`rich_help_panel`) in boxes alone. Of 80 columns those leave 19 for
    what an option does, and cut its default off.
    """

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Writes what the command does."""
        self.help = _copyable(self.help, formatter.width - 2)
        super().format_help_text(ctx, formatter)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Writes a section for arguments, one for options, and one for each group of them."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            title = getattr(parameter, "rich_help_panel", None)
            title = title or f"{parameter.param_type_name.capitalize()}s"
            if record := parameter.get_help_record(ctx):
                name, text = record
                text = text.replace("\\[", "[")  # as typer before 0.16 writes it for its boxes
                sections.setdefault(title, []).append((_plain(name), text))
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


class HelpGroup(TyperGroup):
    """A group of commands whose list has each command's first sentence to its end."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes the commands."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, _first_sentence(one.help)) for name, one in commands if one is not None]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _first_sentence(text: str | None) -> str:
    paragraph = inspect.cleandoc(text or "").partition("\n\n")[0]
    return " ".join(paragraph.split())
