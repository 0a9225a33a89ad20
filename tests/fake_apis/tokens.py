"""Tokens as this fake counts them: characters of JSON / 3.5, rounded up."""

import json

_TENTHS = 35  # characters in ten tokens


def tokens_of(characters):
    return -(-characters * 10 // _TENTHS)


def compact(content):
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


def tokens_in(content):
    """Of the compact JSON of anything."""
    return tokens_of(len(compact(content)))
