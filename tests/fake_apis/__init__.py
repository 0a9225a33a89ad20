"""The APIs that tutors ask, played on loopback for tests.

with FakeApis(key="test-key") as server:
    client = AsyncAnthropic(api_key="test-key", base_url=server.url)
    ... OpenAI(api_key="test-key", base_url=f"{server.url}/v1") ...
assert not server.malformed
"""

from tests.fake_apis.dialects import DIALECTS, LACKS
from tests.fake_apis.faults import FATAL, FAULTS, RETRYABLE, UNUSABLE, Script, Share
from tests.fake_apis.models import CHAT_MODELS, MODELS
from tests.fake_apis.policy import Nimble, Steady
from tests.fake_apis.server import FakeApis

__all__ = [
    "CHAT_MODELS",
    "DIALECTS",
    "FATAL",
    "FAULTS",
    "LACKS",
    "MODELS",
    "RETRYABLE",
    "UNUSABLE",
    "FakeApis",
    "Nimble",
    "Script",
    "Share",
    "Steady",
]
