"""`Prices`: what tokens cost, from a table that comes along or one of your own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from arena_breaker_agents.tutor.llm_client import Usage

BATCH_SHARE = 0.5  # of the price, for what comes in a Message Batch
_MILLION = 1e6
_DATED = re.compile(r"-\d{8}$")  # a model's name may end in the day that it was made

_Dollars = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class Price(BaseModel):
    """Of one model, US dollars for a million tokens of each kind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: _Dollars
    cache_write_5m: _Dollars
    cache_write_1h: _Dollars
    cache_read: _Dollars
    output: _Dollars

    def dollars(self, usage: Usage) -> float:
        """What a reply cost."""
        kinds = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output")
        total: float = sum(getattr(self, kind) * getattr(usage, kind) for kind in kinds)
        return total / _MILLION * (BATCH_SHARE if usage.batch else 1.0)


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = ""
    models: dict[str, Price]


@dataclass(frozen=True)
class Prices:
    """Prices by model.

    Attributes:
        models: Each model's price.
        source: Where they are from, and of when.
    """

    models: Mapping[str, Price]
    source: str

    @classmethod
    def load(cls, path: str | Path | None = None) -> Prices:
        """Reads the table that comes along, and over it a file of your own.

        Args:
            path: JSON: {"models": {"name": {"input": …, "cache_write_5m": …,
                "cache_write_1h": …, "cache_read": …, "output": …}}}.

        Raises:
            ValueError: If the file is missing or no such table.
        """
        own = (files("arena_breaker_agents.tutor") / "prices.json").read_text(encoding="utf-8")
        table = _File.model_validate_json(own)
        if path is None:
            return cls(table.models, table.source)
        try:
            given = _File.model_validate_json(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ValueError(f"There is no table of prices at {path}.") from None
        except (OSError, UnicodeDecodeError, ValidationError) as error:
            raise ValueError(f"{path} is no table of prices: {_first_of(error)}.") from None
        return cls(table.models | given.models, given.source or str(path))

    def of(self, model: str) -> Price | None:
        """A model's price; None if it is not known."""
        return self.models.get(model) or self.models.get(_DATED.sub("", model))


def _first_of(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
