"""The doors to Claude: Anthropic's own API, Amazon Bedrock and Google Vertex AI.

Each is the `anthropic` SDK's own client, which finds keys and regions where the provider's
tools do; here stands only what is missing where, in a sentence.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any

import anthropic

from arena_breaker_agents.tutor.endpoint import (
    MissingKeyError,
    checked_url,
    no_longer_than,
    read_key,
    way_prepared,
)
from arena_breaker_gym.settings import closest

AnyClient = (
    anthropic.AsyncAnthropic | anthropic.AsyncAnthropicBedrock | anthropic.AsyncAnthropicVertex
)

DIRECT = "anthropic"
KEY_NAME = "ANTHROPIC_API_KEY"
TOKEN_NAME = "ANTHROPIC_AUTH_TOKEN"  # nosec B105  # a variable's name
URL_NAME = "ANTHROPIC_BASE_URL"
DEFAULT_URL = "https://api.anthropic.com"

_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_PROJECT = "ANTHROPIC_VERTEX_PROJECT_ID"


@dataclass(frozen=True, kw_only=True)
class Door:
    """One way to Claude.

    Attributes:
        name: As sentences call it.
        key_name: What to check where a key is refused.
        client: Makes the client, of what all of them take.
    """

    name: str
    key_name: str
    client: Callable[..., AnyClient]


def door_of(provider: str) -> Door:
    """A door by its provider's name.

    Raises:
        ValueError: If there is no such provider.
    """
    if provider not in _DOORS:
        raise ValueError(f"There is no provider {provider!r}; {closest(provider, _DOORS)}.")
    return _DOORS[provider]


def connected(door: Door, *, max_retries: int, timeout: float, patience: float) -> AnyClient:
    """A client; nothing is asked yet.

    Args:
        door: Through which door.
        max_retries: How often the client asks again.
        timeout: Seconds that it waits for one answer.
        patience: Seconds that it waits at most before it asks again.

    Raises:
        MissingKeyError: If there is no key.
        ValueError: If a region, a package or an address is missing or bad.
    """
    with way_prepared(door.name):
        hooks = {"response": [no_longer_than(patience)]}
        http_client = anthropic.DefaultAsyncHttpxClient(event_hooks=hooks)
    return door.client(max_retries=max_retries, timeout=timeout, http_client=http_client)


def key_of(client: AnyClient) -> str | None:
    """What must not be said: the client's key or token, where it holds one itself."""
    held = (getattr(client, name, None) for name in ("api_key", "auth_token", "access_token"))
    return next((key for key in held if key), None)


def _direct(**options: Any) -> anthropic.AsyncAnthropic:
    key = read_key(KEY_NAME, "the Anthropic API")
    token = None if key else read_key(TOKEN_NAME, "the Anthropic API")
    if key is None and token is None:
        raise MissingKeyError(
            f"Set {KEY_NAME} to a key of the Anthropic API (platform.claude.com, API keys) "
            f"to let Claude play, or {TOKEN_NAME} to a token of a gateway."
        )
    url = os.environ.get(URL_NAME, "").strip()
    client = anthropic.AsyncAnthropic(
        api_key=key or "",
        base_url=checked_url(url, URL_NAME) if url else DEFAULT_URL,
        **options,
    )
    # Set here, so that the client does not look for the other one by itself.
    client.api_key, client.auth_token = key, token
    return client


def _bedrock(**options: Any) -> anthropic.AsyncAnthropicBedrock:
    region = next((region for name in _REGIONS if (region := _said(name))), None)
    if not _installed("boto3"):
        if not _said("AWS_BEARER_TOKEN_BEDROCK"):
            raise ValueError(_missing("Amazon Bedrock", "boto3", "bedrock"))
        if region is None:
            raise ValueError(f"Set {_REGIONS[0]} to the region in which Bedrock is to be asked.")
    return anthropic.AsyncAnthropicBedrock(aws_region=region, **options)


def _vertex(**options: Any) -> anthropic.AsyncAnthropicVertex:
    if not _said("CLOUD_ML_REGION"):
        raise ValueError("Set CLOUD_ML_REGION to the region in which Vertex AI is to be asked.")
    if not _installed("google.auth"):
        raise ValueError(_missing("Vertex AI", "google-auth", "vertex"))
    if project := _said(_PROJECT):
        options["project_id"] = project
    return anthropic.AsyncAnthropicVertex(**options)


def _said(name: str) -> str:
    return os.environ.get(name, "").strip()


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it is missing too
        return False


def _missing(name: str, package: str, extra: str) -> str:
    return f'{name} is asked with {package}, which is missing: pip install "anthropic[{extra}]".'


_DOORS: Mapping[str, Door] = MappingProxyType(
    {
        DIRECT: Door(name="The Anthropic API", key_name=KEY_NAME, client=_direct),
        "bedrock": Door(
            name="Amazon Bedrock", key_name="the keys that boto3 finds", client=_bedrock
        ),
        "vertex": Door(
            name="Vertex AI", key_name="the account that google-auth finds", client=_vertex
        ),
    }
)
