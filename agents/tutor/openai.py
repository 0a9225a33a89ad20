"""`OpenAIMind`: asks any server that speaks OpenAI's chat completions, such as one of your own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import openai

from agents.tutor.chat_reply import reply_from
from agents.tutor.endpoint import (
    PATIENCE_S,
    ClientErrors,
    Endpoint,
    check_connection,
    checked_url,
    place_of,
)
from agents.tutor.key import MissingKeyError, read_key
from agents.tutor.mind import Question, Reply

KEY_NAME = "OPENAI_API_KEY"
URL_NAME = "OPENAI_BASE_URL"
DEFAULT_URL = "https://api.openai.com/v1"
NO_KEY = "none"  # servers of one's own want none, the client wants one

_ERRORS = ClientErrors(
    any=openai.OpenAIError,
    status=openai.APIStatusError,
    connection=openai.APIConnectionError,
    timeout=openai.APITimeoutError,
)


class OpenAIMind:
    """One model behind an OpenAI-compatible endpoint; a key is read from OPENAI_API_KEY."""

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        max_retries: int = 6,
        timeout: float = 60.0,
        patience: float = PATIENCE_S,
        client: openai.AsyncOpenAI | None = None,
    ) -> None:
        """Prepares a mind; nothing is asked yet.

        Args:
            model: Which model, as the endpoint knows it.
            base_url: The endpoint, such as "http://127.0.0.1:8000/v1"; None: what
                OPENAI_BASE_URL says, or else OpenAI's own.
            max_retries: How often the client asks again.
            timeout: Seconds that it waits for one answer.
            patience: Seconds that a question may take, retries included.
            client: A client of your own, with its own key, endpoint, timeout and retries.

        Raises:
            MissingKeyError: If OPENAI_API_KEY is not set and the endpoint is OpenAI's own.
            ValueError: If a value is not allowed.
        """
        check_connection(max_retries=max_retries, timeout=timeout, patience=patience)
        self._model = model
        self.client = client or _connected(base_url, max_retries=max_retries, timeout=timeout)
        url = str(self.client.base_url)
        self._at_openai = _is_openai(url)
        self.endpoint = Endpoint(
            name="The OpenAI API" if self._at_openai else f"The API at {place_of(url)}",
            url=url,
            model=model,
            key_name=KEY_NAME,
            errors=_ERRORS,
            patience=patience,
            key=None if self.client.api_key == NO_KEY else self.client.api_key,
        )

    @property
    def model(self) -> str:
        """The model's name."""
        return self._model

    @property
    def options(self) -> Mapping[str, Any]:
        """None."""
        return {}

    async def ask(self, question: Question) -> Reply:
        """Asks and waits for the reply.

        Raises:
            MindError: If none can be had.
        """
        params = self.params(question)
        create = self.client.chat.completions.with_raw_response.create
        return await self.endpoint.call(
            lambda: create(**params),
            lambda response: reply_from(
                response.http_response.json(),
                tool=question.tool.name,
                request_id=response.headers.get("x-request-id"),
            ),
        )

    async def close(self) -> None:
        """Lets go of connections."""
        await self.client.close()

    def params(self, question: Question) -> dict[str, Any]:
        """What the API is sent.

        Args:
            question: What is asked.
        """
        tool = question.tool
        # OpenAI's newer models refuse the old name, servers of one's own may not know the new.
        most = "max_completion_tokens" if self._at_openai else "max_tokens"
        texts = (*question.earlier, question.now, question.correction)
        return {
            "model": self._model,
            most: question.max_tokens,
            "messages": [
                {"role": "system", "content": question.system},
                # Some chat templates of local models take nothing but plain text.
                {"role": "user", "content": "\n\n".join(filter(None, texts))},
            ],
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": tool.name,
                        "description": tool.description,
                        "parameters": dict(tool.schema),
                        "strict": True,
                    },
                }
            ],
            "tool_choice": {"type": "function", "function": {"name": tool.name}},
        }


def _connected(base_url: str | None, *, max_retries: int, timeout: float) -> openai.AsyncOpenAI:
    name, url = ("base_url", base_url)
    if not url:
        name, url = URL_NAME, os.environ.get(URL_NAME, "").strip()
    url = checked_url(url, name) if url else DEFAULT_URL
    key = read_key(KEY_NAME, "the API")
    if key is None and _is_openai(url):
        raise MissingKeyError(
            f"Set {KEY_NAME} to a key of the OpenAI API, or name another server with base_url "
            f"or {URL_NAME}."
        )
    return openai.AsyncOpenAI(
        api_key=key or NO_KEY, base_url=url, max_retries=max_retries, timeout=timeout
    )


def _is_openai(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host == "openai.com" or host.endswith(".openai.com")
