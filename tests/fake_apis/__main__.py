"""`python -m tests.fake_apis`: the server as a process of its own, for tests that kill clients."""

import argparse
import signal
import sys
import threading

from tests.fake_apis import FakeApis, Share


def main():
    options = _parser().parse_args()
    closed = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: closed.set())
    faults = Share(*options.faults) if options.faults else None
    with FakeApis(
        options.key,
        delay=options.delay,
        faults=faults,
        port=options.port,
        hold=options.hold,
        batch_polls=options.batch_polls,
        batch_delay=options.batch_delay,
    ) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        closed.wait()


def _parser():
    parser = argparse.ArgumentParser(prog="python -m tests.fake_apis")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--key", default="test-key")
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--hold", type=int, default=6)
    parser.add_argument("--faults", type=_share, help="share,seed")
    parser.add_argument("--batch-polls", type=int, default=1)
    parser.add_argument("--batch-delay", type=float, default=0.0)
    return parser


def _share(text):
    share, _, seed = text.partition(",")
    return float(share), int(seed or 0)


main()
