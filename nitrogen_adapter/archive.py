"""Whether a file is what `torch.save` writes, found out before torch reads it.

`weights_only=True` keeps a file's code from running. It does not keep a file of a kilobyte from
keeping torch busy for ever (keys that take forever to hash) or from unfolding to more than any
memory holds. So our own machine, which can do neither, reads the pickle first.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch

from nitrogen_adapter.unpickler import StandIn, Unfinished, Unpickler, UnreadableError

MAX_STEPS = 2_000_000  # opcodes; the golden file has 12,139 and a saved training 18,292
MAX_VALUES = 1_000_000  # in all containers together, each counted wherever it stands
MAX_DEPTH = 32

_PIECE = 2**20  # bytes read at once

_STORAGE = 5  # values that say where a tensor's numbers lie


def check_archive(path: Path) -> None:
    """Refuse what `torch.save` would not have written.

    Raises:
        UnreadableError: if the file is such; the sentence says why, without the file's name.
        OSError: if it cannot be opened.
        Exception: any other, for a damaged file.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        _check_sums(archive, members)
    # A compressed member could be small on disk and fill the memory.
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise UnreadableError("It is compressed, which no checkpoint of tensors is.")
    # Read as torch will read it: two readers of archives may disagree about a hostile one.
    reader = torch._C.PyTorchFileReader(str(path))
    _check_size(_Reader(reader.get_record("data.pkl")).load())


def _check_sums(archive: zipfile.ZipFile, members: Sequence[zipfile.ZipInfo]) -> None:
    """Refuse a file of which some members are not as they were written.

    Torch can be told to leave check sums out; then none fits, and nothing can be said.
    """
    whole = [_is_whole(archive, one) for one in members if one.compress_type == zipfile.ZIP_STORED]
    if any(whole) and not all(whole):
        raise UnreadableError("It is damaged: a check sum does not fit.")


def _is_whole(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    try:
        with archive.open(member) as file:
            while file.read(_PIECE):
                pass
    except (zipfile.BadZipFile, EOFError):
        return False
    return True


class _Reader(Unpickler):
    """Knows what a pickle of tensors and plain values names, and makes nothing of it."""

    max_steps = MAX_STEPS
    key_types = (str, int)

    def find_class(self, module: str, name: str) -> StandIn:
        if (module, name) == ("collections", "OrderedDict"):
            return StandIn(_Ordered.empty)
        if module == "torch._utils" and name in ("_rebuild_tensor_v2", "_rebuild_parameter"):
            return StandIn(_tensor)
        if module == "torch" and name.isidentifier():
            return StandIn()  # a kind of numbers, of which torch knows a few
        return super().find_class(module, name)

    def persistent_load(self, place: Any) -> StandIn:
        if type(place) is not tuple or len(place) != _STORAGE or type(place[1]) is not StandIn:
            raise UnreadableError("A tensor's numbers lie nowhere.")
        word, _, key, device, count = place
        if word != "storage" or {type(key), type(device)} != {str} or type(count) is not int:
            raise UnreadableError("A tensor's numbers lie nowhere.")
        return StandIn()


class _Ordered(dict[Any, Any], Unfinished):
    """An ordered dict, which torch gives a state that is no part of its content."""

    @classmethod
    def empty(cls, *arguments: Any) -> Self:
        """Make one that is filled afterwards, which is the only way that pickles make them."""
        if arguments:
            raise UnreadableError("It fills a dict in a way that none here may.")
        return cls()

    def build(self, state: Any) -> None:
        pass

    def value(self) -> Any:
        return dict(self)


def _tensor(*arguments: Any) -> StandIn:
    """Stands for a tensor; torch will look at what it is made of."""
    return StandIn()


def _check_size(value: Any) -> None:
    """Refuse containers that unfold to too much, or hold themselves."""
    waiting, seen = [(value, 0)], 0
    while waiting:
        one, depth = waiting.pop()
        seen += 1
        if depth > MAX_DEPTH:
            raise UnreadableError("It has containers too deep in one another.")
        if isinstance(one, dict | list | tuple):
            if seen + len(waiting) + len(one) > MAX_VALUES:
                raise UnreadableError("It unfolds to more than a checkpoint holds.")
            inside = one.values() if isinstance(one, dict) else one
            waiting += [(below, depth + 1) for below in inside]
