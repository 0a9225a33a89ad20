"""The way to an API: a machine's proxies and certificates, which its environment names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def through_proxy(url: str) -> str:
    """Words on the proxy through which an address is asked; "" where it is asked directly.

    The proxy itself is not repeated, since a password may stand in it.
    """
    parts = urlsplit(url)
    proxies = getproxies()
    scheme = next((name for name in (parts.scheme, "all") if name in proxies), None)
    if scheme is None or proxy_bypass(parts.netloc):
        return ""
    return f" through the proxy that {scheme.upper()}_PROXY names (NO_PROXY names exceptions)"


@contextmanager
def way_prepared(api: str) -> Iterator[None]:
    """Puts into a sentence what goes wrong while a client is made.

    Args:
        api: Whose, for the sentence.

    Raises:
        ValueError: If the environment names a proxy or certificates that cannot be used.
    """
    try:
        yield
    except (OSError, ImportError, ValueError) as error:
        # Nothing is quoted: a proxy's password may stand in what the client says.
        raise ValueError(f"{api} cannot be asked: {_reason(error)}.") from None


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        named = [f"{name}={os.environ[name]}" for name in _CERTIFICATES if os.environ.get(name)]
        said = " or ".join(named) or "the certificates of this machine"
        return f"{said} cannot be read as certificates ({error.strerror or 'damaged'})"
    if isinstance(error, ImportError):
        return "a proxy of the kind SOCKS needs one more package: pip install socksio"
    named = [f"{scheme.upper()}_PROXY" for scheme in getproxies() if scheme != "no"]
    return f"{' or '.join(named) or 'the environment'} names no proxy that can be used"
