"""Checkpoints: the public form `{"model": weights, "ckpt_config": sizes}`, and safetensors + JSON.

A file is never trusted. Nothing in it runs, it cannot unfold, and before memory is given to a model
its weights are held against its configuration.

`weights_only=True` keeps a file's code from running. It does not keep a file of a kilobyte from
keeping torch busy for ever (keys that take forever to hash) or from unfolding to more than any
memory holds. So our own machine (`unpickler`), which can do neither, reads the pickle first.
"""

from __future__ import annotations

import json
import re
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Self, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from safetensors.torch import save as save_tensors
from torch import Tensor

from arena_breaker_gym._runtime.files import naming, written_whole
from nitrogen_adapter.config import NitroGenConfig
from nitrogen_adapter.model import NitroGen, PositionalEncoding
from nitrogen_adapter.unpickler import StandIn, Unfinished, Unpickler, UnreadableError
from nitrogen_adapter.vision import restore_buffers

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

    def persistent_load(self, place: object) -> StandIn:
        if type(place) is not tuple or len(place) != _STORAGE or type(place[1]) is not StandIn:
            raise UnreadableError("A tensor's numbers lie nowhere.")
        word, _, key, device, count = place
        if word != "storage" or {type(key), type(device)} != {str} or type(count) is not int:
            raise UnreadableError("A tensor's numbers lie nowhere.")
        return StandIn()


class _Ordered(dict[Any, Any], Unfinished):
    """An ordered dict, which torch gives a state that is no part of its content."""

    @classmethod
    def empty(cls, *arguments: object) -> Self:
        """Make one that is filled afterwards, which is the only way that pickles make them."""
        if arguments:
            raise UnreadableError("It fills a dict in a way that none here may.")
        return cls()

    def build(self, state: object) -> None:
        pass

    def value(self) -> Any:
        return dict(self)


def _tensor(*arguments: object) -> StandIn:
    """Stands for a tensor; torch will look at what it is made of."""
    return StandIn()


def _check_size(value: object) -> None:
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


SAFETENSORS = ".safetensors"
DIGEST = "weights_sha256"  # in a file's metadata
HUB_CONFIG, HUB_WEIGHTS = "config.json", "model.safetensors"  # names in a folder of a hub
PUBLIC = "ng.pt"  # what the public checkpoint is called where it is kept
LARGEST_CONFIG = 2**20  # bytes of a JSON file; the public configuration has some 3,000

_Weights = Mapping[str, Any]


class CheckpointError(ValueError):
    """A file that is no NitroGen checkpoint, or a damaged one."""


def load(path: str | Path, *, device: str = "cpu") -> NitroGen:
    """Read a model from a file.

    Args:
        path: the public form, or a `.safetensors` file with its configuration beside it, under the
            same name and `.json` or as `config.json`; or a folder that holds one (see `file_in`).
        device: where the weights go.

    Returns:
        The model, ready to sample (in evaluation mode), float32 whatever the file holds.

    Raises:
        CheckpointError: if there is no such file, it is damaged or something else, or weights are
            missing or surplus; the sentence names the file and the fault.
    """
    path = file_in(Path(path))
    weights, ckpt_config = _read_parts(path)
    weights = _renamed(weights)
    try:
        config = NitroGenConfig.from_dict(_with_what_weights_say(ckpt_config, weights))
        with torch.device("meta"):
            model = NitroGen(config)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: {_one_line(error)}") from error
    _check_weights(path, given=weights, expected=model.state_dict())
    return fill(model, _filled(weights, model)).to(device).eval()


def file_in(path: Path) -> Path:
    """Return the checkpoint in a folder as hubs keep models; a path that is none stays as it is."""
    if not path.is_dir():
        return path
    public = path / PUBLIC
    return public if public.is_file() and not (path / HUB_WEIGHTS).is_file() else path / HUB_WEIGHTS


def fill(model: NitroGen, weights: Mapping[str, Tensor]) -> NitroGen:
    """Give a model that was made on "meta" its weights, which it takes as they are, uncopied."""
    model.load_state_dict(weights, assign=True)
    restore_buffers(model.vision_encoder)
    for parameter in model.parameters():
        parameter.requires_grad_()  # what was read from a file comes without
    return model


def save(
    path: str | Path,
    model: NitroGen,
    *,
    dtype: torch.dtype | None = None,
    config_path: Path | None = None,
) -> None:
    """Write a model, each file whole or not at all.

    Args:
        path: the file; one that exists is replaced. A name that ends in `.safetensors` gets the
            weights alone, with the configuration beside it under the same name and `.json`;
            any other name gets the public form, which the public code loads.
        model: what to write; unknown entries of the configuration it was read with are kept.
        dtype: of the weights in a `.safetensors` file; as they are if not given.
        config_path: of the configuration that goes with one, where it has another name.

    Raises:
        CheckpointError: if JSON cannot hold the configuration.
    """
    path = Path(path)
    if path.suffix != SAFETENSORS:
        write(path, {"model": model.state_dict(), "ckpt_config": model.config.to_dict()})
        return
    try:
        text = json.dumps(model.config.to_dict(), indent=2)
    except TypeError as error:
        raise CheckpointError(f"The configuration cannot be written as JSON: {error}.") from error
    weights = {n: t.to(dtype).contiguous() for n, t in model.state_dict().items()}
    with written_whole(path) as part:
        _save_tensors(weights, part, path)
    with written_whole(config_path or path.with_suffix(".json")) as part:
        part.write_text(text + "\n", encoding="utf-8")


def read(path: str | Path, *, expected: tuple[str, ...]) -> dict[str, Any]:
    """Read a dict of tensors and plain values that torch saved, running none of the file's code.

    Args:
        path: the file.
        expected: keys that must be there, each with a dict.

    Raises:
        CheckpointError: if there is no such file, it cannot be read, or a key is missing.
    """
    try:
        check_archive(Path(path))
        with warnings.catch_warnings(action="ignore"):  # torch guesses at what a foreign file is
            content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"There is no checkpoint at {path}.") from error
    # A damaged file can make the reader fail in any way; none of them is worth telling apart.
    except Exception as error:
        raise CheckpointError(f"{path} is truncated or not a checkpoint of tensors.") from error
    for key in expected:
        if not isinstance(content, dict) or not isinstance(content.get(key), Mapping):
            raise CheckpointError(f"{path} is no NitroGen checkpoint: it has no '{key}'.")
    return dict(content)


def write(path: str | Path, content: Mapping[str, object]) -> None:
    """Save a dict under a temporary name and rename it, so that no half file is ever found.

    Equal dicts give equal files: torch would name the archive inside after the file, whose
    temporary name is drawn.

    Raises:
        OSError: if there is no room for it.
    """
    with written_whole(Path(path)) as part, part.open("wb") as file:
        disk = _Disk(file)
        torch.save(dict(content), cast("IO[bytes]", disk))
        disk.check()


class _Disk:
    """A file that torch writes to; its errors are kept, for torch hides which they were."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._error: OSError | None = None

    def write(self, data: bytes) -> int:
        """Write some bytes, or after an error none."""
        if self._error is None:
            try:
                self._file.write(data)
            except OSError as error:
                self._error = error
        return len(data)

    def flush(self) -> None:
        """Bring to the disk what is in memory."""
        if self._error is None:
            try:
                self._file.flush()
            except OSError as error:
                self._error = error

    def check(self) -> None:
        """Raise the first error, if there was one."""
        self.flush()
        if self._error is not None:
            raise self._error


def _save_tensors(weights: Mapping[str, Tensor], part: Path, path: Path) -> None:
    """Writes a safetensors file with a digest of what it holds.

    Raises:
        OSError: if there is no room for it.
    """
    # Not `save_file`: a kill leaves a temporary file of its own, which nothing here would sweep.
    content = save_tensors(dict(weights), metadata={DIGEST: digest_of(weights)})
    with naming(path):
        part.write_bytes(content)


def digest_of(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, kinds, shapes and numbers of tensors, in the order of their names."""
    digest = sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _read_parts(path: Path) -> tuple[_Weights, Mapping[str, object]]:
    """Reads weights and configuration of a file in either form."""
    if path.suffix == SAFETENSORS:
        return _read_safetensors(path)
    content = read(path, expected=("model", "ckpt_config"))
    return content["model"], content["ckpt_config"]


def _read_safetensors(path: Path) -> tuple[_Weights, Mapping[str, object]]:
    beside = path.with_suffix(".json")
    if not beside.is_file() and path.with_name(HUB_CONFIG).is_file():
        beside = path.with_name(HUB_CONFIG)
    for file in (path, beside):
        if not file.is_file():
            raise CheckpointError(f"There is no checkpoint at {path}: {file.name} is missing.")
    try:
        with safe_open(path, "pt") as file:
            digest = (file.metadata() or {}).get(DIGEST)
        weights = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path} is truncated or no safetensors file.") from error
    if digest is not None and digest != digest_of(weights):
        raise CheckpointError(f"{path} is damaged: its weights are not those that were written.")
    if beside.stat().st_size > LARGEST_CONFIG:
        raise CheckpointError(f"{beside} is too large to be a configuration.")
    try:
        ckpt_config = json.loads(beside.read_bytes())
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{beside} is truncated or not JSON.") from error
    if not isinstance(ckpt_config, Mapping):
        raise CheckpointError(f"{beside} is no NitroGen configuration: it holds no JSON object.")
    return weights, ckpt_config


def _renamed(weights: _Weights) -> dict[str, object]:
    """Gives the tower's weights the public names.

    transformers wraps a SigLIP tower in a `vision_model` in some versions and not in others, and
    so do files that were written with them.
    """
    wrapped = re.compile(r"^vision_encoder\.vision_model\.")
    return {wrapped.sub("vision_encoder.", str(name)): value for name, value in weights.items()}


def _with_what_weights_say(
    ckpt_config: Mapping[str, object], weights: _Weights
) -> dict[str, object]:
    """Fills in what a configuration leaves unsaid and the weights show."""
    result: dict[str, Any] = _copied(ckpt_config)
    model, tokenizer = result.get("model_cfg"), result.get("tokenizer_cfg")
    stacks = {"diffusion_model_cfg": "model", "vl_self_attention_cfg": "vl_self_attention_model"}
    for section, part in stacks.items():
        stack = model.get(section) if isinstance(model, dict) else None
        waves = weights.get(f"{part}.transformer_blocks.0.pos_embed.pe")
        if isinstance(stack, dict) and isinstance(waves, Tensor) and waves.ndim == 3:
            stack.setdefault("positional_embeddings", "sinusoidal")
            stack.setdefault("max_num_positional_embeddings", waves.shape[1])
    if isinstance(result.get("vision_cfg"), dict):
        has_head = any(name.startswith("vision_encoder.head.") for name in weights)
        result["vision_cfg"].setdefault("vision_use_head", has_head)
    games = weights.get("game_embedding.weight")
    if isinstance(tokenizer, dict) and isinstance(games, Tensor) and games.ndim == 2:
        tokenizer["game_mapping_cfg"] = _named_games(tokenizer.get("game_mapping_cfg"), len(games))
    return result


def _named_games(mapping: object, count: int) -> dict[str, object]:
    """Names the rows of an embedding of games: by the mapping, or by their numbers.

    The public mapping says where its authors keep the list of names, not the names.
    """
    known = dict(mapping) if isinstance(mapping, Mapping) else {}
    names = known.get("games")
    if not isinstance(names, list) or len(names) != count:
        known["games"] = [f"game {number}" for number in range(min(count, 65_536))]
    return known


def _copied(value: object) -> Any:
    """Copies the dicts of a nested configuration, and leaves the rest as it is."""
    if isinstance(value, Mapping):
        return {key: _copied(below) for key, below in value.items()}
    return value


def _check_weights(path: str | Path, *, given: _Weights, expected: Mapping[str, Tensor]) -> None:
    faults = [f"'{name}' is missing" for name in expected if name not in given and _needed(name)]
    faults += [f"'{name}' is not part of the model" for name in given if name not in expected]
    for name in [name for name in expected if name in given]:
        fault = _fault_of(given[name], expected[name])
        if fault is not None:
            faults.append(f"'{name}' is {fault}")
    if faults:
        more = f", and {len(faults) - 1} more faults" if len(faults) > 1 else ""
        raise CheckpointError(f"{path} does not fit its own configuration: {faults[0]}{more}.")


def _fault_of(value: object, expected: Tensor) -> str | None:
    if not isinstance(value, Tensor):
        return "no tensor"
    if value.shape != expected.shape:
        return f"{tuple(value.shape)} instead of {tuple(expected.shape)}"
    if not value.is_floating_point() or value.layout != torch.strided or value.is_quantized:
        return f"of the kind {value.dtype}, not plain floating-point numbers"
    if value.untyped_storage().nbytes() < value.numel() * value.element_size():
        return "larger than the numbers that are stored for it"
    return None


def _needed(name: str) -> bool:
    """Whether a weight must be in the file: fixed waves can be computed."""
    return not name.endswith(".pos_embed.pe")


def _filled(weights: _Weights, model: NitroGen) -> dict[str, Tensor]:
    """Returns a model's weights in single precision, with fixed waves that were left out."""
    result = {name: value.float() for name, value in weights.items()}
    for name in model.state_dict().keys() - weights.keys():
        _, positions, width = model.get_buffer(name).shape
        result[name] = PositionalEncoding(positions, width).pe
    return result


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
