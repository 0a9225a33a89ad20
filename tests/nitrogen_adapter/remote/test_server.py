"""The server and its client: the public protocol on real sockets, and messages from an enemy."""

import io
import logging
import pickle
import random
import re
import signal
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
import zmq
from PIL import Image

from arena_breaker_agents.registry import make_agent
from arena_breaker_gym.rollout import rollout
from nitrogen_adapter import NitroGen, checkpoint
from nitrogen_adapter.config import NitroGenConfig
from nitrogen_adapter.inference import LocalPredictor
from nitrogen_adapter.presets import preset_config
from nitrogen_adapter.remote import batching, wire
from nitrogen_adapter.remote.batching import Metrics
from nitrogen_adapter.remote.client import RemotePredictor, ServerError
from nitrogen_adapter.remote.server import PUBLIC_INFO, NitroGenServer
from nitrogen_adapter.remote.wire import WireError

FAST_S = 1.0  # what any one message may take to be refused; most take microseconds


def frames(count, seed=0, side=64):
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def lively(context=1):
    """A model with fresh weights whose chunks differ from frame to frame."""
    content = preset_config("tiny").to_dict()
    content["modality_cfg"]["frame_per_sample"] = context
    content["tokenizer_cfg"]["max_sequence_length"] = 64 * context
    torch.manual_seed(0)
    model = NitroGen(NitroGenConfig.from_dict(content)).eval()
    torch.nn.init.normal_(model.action_decoder.layer2.W, std=0.02)  # most sticks within reach
    return model


@pytest.fixture
def serve():
    """Serves predictors in threads, and stops them in the end."""
    servers = []

    def start(predictor=None, **options):
        predictor = predictor or LocalPredictor(lively(), quiet=True)
        servers.append(NitroGenServer(predictor, port=0, **options).start())
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def remote():
    """Connects clients of ours, and closes them in the end."""
    clients = []

    def connect(address, **options):
        clients.append(RemotePredictor(address, **options))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


class PublicClient:
    """NitroGen's public client, by hand: a plain REQ socket and plain pickles."""

    def __init__(self, address, protocol=4):
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.REQ)
        self.socket.rcvtimeo = 10_000
        self.socket.connect(address)
        self.protocol = protocol

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.destroy(linger=0)

    def ask(self, request):
        return pickle.loads(self.ask_bytes(pickle.dumps(request, protocol=self.protocol)))

    def ask_bytes(self, *parts):
        self.socket.send_multipart(parts)
        return self.socket.recv()


class PublicServer:
    """NitroGen's public server, by hand: one REP socket, one memory, whatever `pred` says."""

    def __init__(self, pred=None, **info):
        self.pred = pred or (lambda request: parts_of_a_pred())
        self.info = {**PUBLIC_INFO, "ckpt_path": "C:\\weights\\ng.pt", **info}
        self.requests = []
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.REP)
        self.address = f"tcp://127.0.0.1:{self.socket.bind_to_random_port('tcp://127.0.0.1')}"
        self.running = True
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.running = False
        self.thread.join()
        self.context.destroy(linger=0)

    def run(self):
        while self.running:
            if self.socket.poll(20):
                request = pickle.loads(self.socket.recv())
                self.requests.append(request)
                self.socket.send(pickle.dumps(self.reply(request)))

    def reply(self, request):
        if request["type"] == "info":
            return {"status": "ok", "info": self.info}
        if request["type"] == "reset":
            return {"status": "ok"}
        return {"status": "ok", "pred": self.pred(request)}


def parts_of_a_pred(lead=()):
    return {
        "j_left": np.full((*lead, 18, 2), -1.0, dtype=np.float32),
        "j_right": np.full((*lead, 18, 2), 0.5, dtype=np.float64),
        "buttons": np.ones((*lead, 18, 21), dtype=np.int64),
    }


# Messages


def in_file_form(image, name):
    file = io.BytesIO()
    image.save(file, name)
    return Image.open(file)


PICTURE = Image.fromarray(frames(1, side=24)[0])
VALUES = {
    "plain": [None, True, -5, 2**63, 1.5, "é" * 300, b"bytes", (1, [2, {"a": ()}]), [*range(300)]],
    "array": frames(1)[0],
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "reversed": frames(1)[0][:, :, ::-1],
    "transposed": frames(1)[0].transpose(2, 0, 1),
    "big-endian": np.arange(4, dtype=">f4"),
    "flags": np.array([True, False]),
    "one number": np.array(5),
    "scalars": [np.float32(3.5), np.int64(-7), np.bool_(True)],
    **{f"image {mode}": PICTURE.convert(mode) for mode in wire.BANDS},
    **{f"{name} file": in_file_form(PICTURE, name) for name in ("PNG", "JPEG", "BMP")},
}


def assert_same(read, written):
    if isinstance(written, Image.Image):
        assert isinstance(read, Image.Image)
        assert read.mode == written.mode
        written, read = (np.asarray(image.convert("RGB")) for image in (written, read))
    if isinstance(written, np.ndarray):
        assert read.dtype == written.dtype
        np.testing.assert_array_equal(read, written)
    else:
        assert read == written


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("what", VALUES)
def test_whatever_a_client_may_send_is_read_as_pickle_reads_it(what, protocol):
    data = pickle.dumps({"here": VALUES[what], "there": [VALUES[what]]}, protocol=protocol)
    message = wire.loads(data)
    assert_same(message["here"], VALUES[what])
    assert_same(message["there"][0], VALUES[what])


def test_what_older_numpy_pickles_is_read():
    older = pickle.dumps({"a": np.arange(3)}, protocol=3)
    older = older.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    np.testing.assert_array_equal(wire.loads(older)["a"], np.arange(3))


def test_what_is_written_is_read_by_plain_pickle_of_any_python_3_and_numpy():
    message = {"status": "ok", "pred": parts_of_a_pred(), "text": "é", "sessions": [1, 2**40]}
    data = wire.dumps(message)
    assert data.startswith(b"\x80\x03")  # protocol 3
    assert b"numpy._core" not in data
    for read in (pickle.loads, wire.loads):
        back = read(data)
        assert back["sessions"] == [1, 2**40]
        for name, part in message["pred"].items():
            assert_same(back["pred"][name], part)
    assert wire.loads(data)["pred"]["buttons"].flags.writeable


# Hostile messages. `\x80\x04` opens a pickle of protocol 4, `.` ends it; `h` and `j` read the memo.


class Call:
    """Pickles as a call of whatever it is given."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


class State:
    """Pickles as a made object with a state."""

    def __init__(self, function, arguments, state):
        self.all = (function, arguments, state)

    def __reduce__(self):
        return self.all


RECONSTRUCT = np.empty(0).__reduce__()[0]
FROM_BUFFER = np.empty(0).__reduce_ex__(5)[0]
EMPTY = (np.ndarray, (0,), b"b")


def text(name):
    return b"\x8c" + bytes([len(name)]) + name.encode()


def calling(module, name, *texts):
    """A pickle that calls module.name with texts."""
    arguments = b"(" + b"".join(text(one) for one in texts) + b"t"
    return b"\x80\x04" + text(module) + text(name) + b"\x93" + arguments + b"R."


def hostile(canary):
    """What should do harm; where it ran code, a file would stand at `canary`."""
    return running(canary) | hostile_values() | hostile_programs() | foreign()


def running(canary):
    import os
    from builtins import eval as evaluate

    order = f"touch {canary}"
    return {
        "os.system": pickle.dumps(Call(os.system, order)),
        "posix.system": b"cposix\nsystem\n(S'" + order.encode() + b"'\ntR.",
        "open": pickle.dumps(Call(open, str(canary), "w")),
        "eval": pickle.dumps(Call(evaluate, f"open({str(canary)!r}, 'w')")),
        "getattr": calling("builtins", "getattr", "", "join"),
        "subprocess": calling("subprocess", "check_output", order),
        "dotted": calling("numpy", "ndarray.tofile", str(canary)),
        "numpy.load": calling("numpy", "load", str(canary)),
        "memmap": calling("numpy", "memmap", str(canary)),
        "import": calling("builtins", "__import__", "antigravity"),
        "PIL.open": calling("PIL.Image", "open", str(canary)),
        "plugin": calling("PIL.PngImagePlugin", "open", str(canary)),
        "inst": b"(S'" + order.encode() + b"'\nios\nsystem\n.",
        "obj": b"(cos\nsystem\nS'" + order.encode() + b"'\no.",
        "persistent": b"\x80\x04Pos\n.",
        "extension": b"\x80\x04\x82\x01.",
        "out of band": b"\x80\x05\x97.",
        "newobj_ex": b"\x80\x04cnumpy\nndarray\n)}\x92.",
    }


BIG = 10**12
NEW_IMAGE = b"\x80\x04}\x8c\x01acPIL.Image\nImage\n)\x81"
# Such tuples hold the tuple before, twice; the last, `h\x3c`, unfolds to 2^60.
DOUBLED_TUPLE = b"]()\x94" + b"".join(b"h%ch%c\x86\x94" % (n, n) for n in range(60)) + b"e"


def hostile_values():
    """Arrays and images that are not what they say."""
    array = pickle.dumps({"a": np.zeros(4)}, protocol=4)
    return {
        "object array": pickle.dumps({"a": np.array([{}, None], dtype=object)}),
        "object buffer": pickle.dumps(Call(FROM_BUFFER, b"x" * 8, np.dtype("O"), (1,), "C")),
        "structured array": pickle.dumps({"a": np.zeros(2, dtype=[("a", "u1")])}),
        "texts": pickle.dumps({"a": np.array(["a", "bc"])}),
        "dates": pickle.dumps({"a": np.zeros(2, dtype="M8[s]")}),
        "ndarray called": pickle.dumps({"a": Call(np.ndarray, (BIG,))}),
        "huge reconstruct": pickle.dumps({"a": Call(RECONSTRUCT, np.ndarray, (BIG,), b"d")}),
        "huge buffer": pickle.dumps({"a": Call(FROM_BUFFER, b"", np.dtype("f8"), (BIG,), "C")}),
        "huge state": pickle.dumps(
            {"a": State(RECONSTRUCT, EMPTY, (1, (BIG, 8), np.dtype("u1"), False, b"abc"))}
        ),
        "negative shape": pickle.dumps(
            {"a": State(RECONSTRUCT, EMPTY, (1, (-1, -3), np.dtype("u1"), False, b"abc"))}
        ),
        "empty but huge": pickle.dumps(
            {"a": State(RECONSTRUCT, EMPTY, (1, (0, *[2**26] * 6), np.dtype("u1"), False, b""))}
        ),
        "numbers as state": pickle.dumps({"a": State(RECONSTRUCT, EMPTY, bytes(10**6))}),
        "no state": pickle.dumps({"a": Call(RECONSTRUCT, *EMPTY)}),
        "dtype state": array.replace(b"\x8c\x01<", b"\x8c\x01O"),
        "dtype alignment": array.replace(b"J\xff\xff\xff\xff", b"J\x00\x00\x10\x00"),
        "huge image": pickle.dumps({"a": Call(Image.new, "RGB", (2**15, 2**15))}),
        "huge image state": NEW_IMAGE + b"](}\x8c\x03RGBM\x00\x80M\x00\x80\x86NC\x01aeb.",
        "palette": NEW_IMAGE + b"](}\x8c\x01PK\x01K\x01\x86J\x00\x00\x00\x7fC\x01aeb.",
        "an image's mode hashed for ever": b"\x80\x04"
        + DOUBLED_TUPLE
        + NEW_IMAGE[2:]
        + b"](}h\x3cK\x01K\x01\x86NC\x01aeb.",
    }


def hostile_programs():
    """Programs that would fill the memory, run for ever, or change what they find."""
    doubled_list = b"](]\x94" + b"".join(b"]\x94(h%ch%ce" % (n, n) for n in range(60)) + b"e"
    wide = b"X" + struct.pack("<I", 10**6) + b"a" * 10**6 + b"\x94"
    encode = b"c_codecs\nencode\n\x94"
    dtype = b"cnumpy\ndtype\n"
    return {
        "a function's attributes": b"\x80\x04cnumpy\ndtype\n}\x8c\x04makeNsb.",
        "a function's slots": b"\x80\x04cnumpy\ndtype\nN}\x8c\x04makeNs\x86b.",
        "a bare class": b"\x80\x04}\x8c\x01acnumpy\nndarray\ns.",
        "huge memo": b"\x80\x04Nr\xff\xff\xff\x7f.",
        "huge bytes": b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b".",
        "huge bytearray": b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b".",
        "huge text": b"\x80\x04\x8d" + struct.pack("<Q", 2**63) + b".",
        "huge frame": b"\x80\x04\x95" + b"\xff" * 8 + b"(" * 99,
        "long integer": b"\x80\x04\x8b" + struct.pack("<i", 10**6) + bytes(10**6) + b".",
        "integer as text": b"\x80\x04I" + b"9" * 10**6 + b"\n.",
        "deep lists": b"\x80\x04" + b"]" * 4000 + b"a" * 3999 + b".",
        "deep tuples": b"\x80\x04)" + b"\x85" * 9000 + b".",
        "deep dicts": b"\x80\x04" + b"}\x8c\x01a" * 3000 + b"N" + b"s" * 3000 + b".",
        "marks": b"\x80\x04" + b"(" * 10**6,
        "a list in itself": b"\x80\x04}\x8c\x01a]\x94h\x00as.",
        "doubled lists": b"\x80\x04}\x8c\x01a" + doubled_list + b"s.",
        "doubled tuples": b"\x80\x04}\x8c\x01a" + DOUBLED_TUPLE + b"s.",
        "a list over and over": b"\x80\x04}\x8c\x01a](]\x94("
        + b"N" * 900
        + b"e"
        + b"h\x00" * 900
        + b"es.",
        "a tuple hashed for ever": b"\x80\x04" + DOUBLED_TUPLE + b"}h\x3cNs\x86.",
        "a dtype's name hashed for ever": b"\x80\x04"
        + DOUBLED_TUPLE
        + dtype
        + b"h\x3c\x89\x88\x87R.",
        "bytes made over and over": b"\x80\x04"
        + wide
        + encode
        + b"h\x01h\x00\x8c\x06latin1\x86R" * 900,
        "encoded as code": calling("_codecs", "encode", "x", "rot13"),
        "a long name": b"\x80\x04" + wide + b"h\x00h\x00\x93.",
    }


def foreign():
    """No messages at all."""
    return {
        "bytes after the end": pickle.dumps({"type": "info"}) + b"N.",
        "two values": b"\x80\x04}}.",
        "no dict": pickle.dumps([1, 2]),
        "keys of another kind": pickle.dumps({1: 2}),
        "empty": b"",
        "text": b"GET / HTTP/1.1\r\n\r\n",
        "an older protocol": pickle.dumps({"type": "info"}, protocol=0),
        "a newer protocol": b"\x80\x06}.",
    }


def test_hostile_messages_run_nothing_and_end_soon(tmp_path):
    canary = tmp_path / "canary"
    messages = hostile(canary)
    pickle.loads(messages["open"]).close()
    assert canary.exists()  # the trap works: in plain pickle such a message does run
    canary.unlink()
    for name, data in messages.items():
        tracemalloc.start()
        begun = time.perf_counter()
        with pytest.raises(WireError) as refused:
            wire.loads(data)
        took, (_, peak) = time.perf_counter() - begun, tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert took < FAST_S, name
        assert peak < 20 * len(data) + 2**21, name
        assert "\n" not in str(refused.value), name
        assert len(str(refused.value)) < 200, name
        assert not canary.exists(), name


def test_a_message_is_refused_by_its_size_before_it_is_looked_at():
    with pytest.raises(WireError, match="at most 67108864 are read"):
        wire.loads(bytes(wire.MAX_BYTES + 1))
    with pytest.raises(WireError, match="at most 67108864 are read"):
        wire.dumps({"image": np.zeros(wire.MAX_BYTES, dtype=np.uint8)})


GOOD = (
    pickle.dumps({"type": "predict", "image": frames(1, side=8)[0]}, protocol=4),
    pickle.dumps({"type": "predict", "image": PICTURE.convert("P")}, protocol=5),
    pickle.dumps({"type": "reset", "sessions": [1, 2], "seed": 7}, protocol=3),
    pickle.dumps({"type": "info"}, protocol=2),
)
OPCODES = bytes(range(256)) + b"}](\x94h\x00ae0u\x85\x86tR\x81b\x93K\x01\x8c\x01ac" * 4


def damaged(draw):
    """One message of the fuzz: truncated, flipped, spliced, random, or random opcodes."""
    data = bytearray(draw.choice(GOOD))
    kind = draw.randrange(5)
    if kind == 0:
        return bytes(data[: draw.randrange(len(data))])
    if kind == 1:
        for _ in range(draw.randrange(1, 9)):
            data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        return bytes(data)
    if kind == 2:
        other, start = draw.choice(GOOD), draw.randrange(len(data))
        return bytes(data[:start] + other[draw.randrange(len(other)) :])
    if kind == 3:
        return draw.randbytes(draw.randrange(400))
    names = (b"cos\nsystem\n", b"cnumpy\ndtype\n", b"cPIL.Image\nImage\n", b"\x8c\x02u1", b"C\x01a")
    body = [
        draw.choice(names) if draw.random() < 0.2 else bytes([draw.choice(OPCODES)])
        for _ in range(draw.randrange(60))
    ]
    return b"\x80\x04" + b"".join(body) + b"."


def test_a_thousand_damaged_messages_are_read_or_refused():
    draw, refused, slowest = random.Random(0), 0, 0.0
    tracemalloc.start()
    for _ in range(1000):
        data, begun = damaged(draw), time.perf_counter()
        try:
            assert type(wire.loads(data)) is dict
        except WireError:
            refused += 1
        slowest = max(slowest, time.perf_counter() - begun)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 700 < refused < 1000  # a flipped bit may well be one of a pixel
    assert slowest < FAST_S
    assert peak < 2**23
    assert kept < 2**20


def resident():
    """Bytes of memory that this process has."""
    with open("/proc/self/statm") as file:  # noqa: PTH123  # no file of a disk
        return int(file.read().split()[1]) * 4096


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_the_server_outlives_a_thousand_enemies(serve, tmp_path, caplog):
    caplog.set_level(logging.CRITICAL)
    canary, draw = tmp_path / "canary", random.Random(1)
    server = serve()
    attacks = [*hostile(canary).values()]
    attacks = [one for one in attacks if len(one) < 10**5]
    attacks += [damaged(draw) for _ in range(1000 - len(attacks))]
    with PublicClient(server.address) as enemy, PublicClient(server.address) as friend:
        good = {"type": "predict", "image": frames(1)[0]}
        expected = friend.ask(good)["pred"]["buttons"]
        before = resident()
        for number, attack in enumerate(attacks):
            reply = pickle.loads(enemy.ask_bytes(attack))
            assert reply["status"] in ("ok", "error")
            if number % 100 == 0:
                np.testing.assert_array_equal(friend.ask(good)["pred"]["buttons"], expected)
        np.testing.assert_array_equal(friend.ask(good)["pred"]["buttons"], expected)
    assert not canary.exists()
    assert resident() - before < 100 * 2**20


# The server


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_public_client_gets_the_public_reply(serve, protocol):
    predictor = LocalPredictor(lively(), quiet=True)
    server = serve(predictor)
    shown = frames(1)[0]
    with PublicClient(server.address, protocol) as client:
        reply = client.ask({"type": "predict", "image": shown})
        as_image = client.ask({"type": "predict", "image": Image.fromarray(shown)})
        reset = client.ask({"type": "reset"})
    assert reply["status"] == "ok"
    assert reset == {"status": "ok"}
    rows = LocalPredictor(lively(), quiet=True).predict(shown[None], [0])[0]
    expected = {
        "buttons": (rows[:, :21] > 0.5).astype(np.float32),
        "j_left": np.clip(rows[:, 21:23] * 2 - 1, -1, 1),
        "j_right": np.clip(rows[:, 23:] * 2 - 1, -1, 1),
    }
    assert set(reply["pred"]) == set(expected)
    for name, part in expected.items():
        np.testing.assert_allclose(reply["pred"][name], part, atol=1e-5)
        np.testing.assert_array_equal(as_image["pred"][name], reply["pred"][name])


def test_info_has_all_that_the_public_server_tells_and_the_extensions(serve):
    server = serve(LocalPredictor(lively(context=2), guidance=1.5), checkpoint="weights/mine.pt")
    with PublicClient(server.address) as client:
        info = client.ask({"type": "info"})["info"]
    assert info["extensions"] == ["batch", "seed"]
    assert {key: info[key] for key in PUBLIC_INFO} == {
        "ckpt_path": "weights/mine.pt",
        "selected_game": None,
        "old_layout": False,
        "cfg_scale": 1.5,
        "context_length": 2,
        "action_interleaving": False,
        "is_flowmatching": True,
        "action_downsample_ratio": 1,
    }


def test_every_client_has_frames_of_its_own(serve):
    server = serve(LocalPredictor(lively(context=2), quiet=True))
    first, second, third = ({"type": "predict", "image": one} for one in frames(3))

    def sticks(client, request):
        return client.ask(request)["pred"]["j_left"]

    with PublicClient(server.address) as one, PublicClient(server.address) as other:
        alone = [sticks(one, request) for request in (first, second)]
        one.ask({"type": "reset"})
        mixed = [sticks(one, first), sticks(other, third), sticks(one, second)]
        forgot = sticks(other, third), one.ask({"type": "reset"}), sticks(one, second)
    np.testing.assert_array_equal(mixed[0], alone[0])
    np.testing.assert_array_equal(mixed[2], alone[1])
    assert np.abs(forgot[2] - alone[1]).max() > 1e-3


def test_a_client_that_numbers_its_requests_is_one_client(serve):
    server = serve(LocalPredictor(lively(context=2), quiet=True))
    replies = []
    for correlate in (False, True):
        with PublicClient(server.address) as client:
            client.socket.setsockopt(zmq.REQ_CORRELATE, correlate)
            requests = [{"type": "predict", "image": one} for one in frames(2)]
            replies.append([client.ask(request)["pred"]["j_left"] for request in requests])
    np.testing.assert_array_equal(replies[0], replies[1])


class Noted(LocalPredictor):
    """Notes what it is asked."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.asked, self.told = [], []

    def predict(self, frames, sessions):
        self.asked.append(tuple(sessions))
        return super().predict(frames, sessions)

    def reset(self, sessions, seed):
        self.told.append((tuple(sessions), seed))
        super().reset(sessions, seed)


def test_the_longest_idle_session_is_forgotten_and_its_number_used_anew(serve):
    predictor = Noted(lively(), quiet=True)
    server = serve(predictor, max_sessions=2)
    request = {"type": "predict", "image": frames(1)[0]}
    clients = [PublicClient(server.address) for _ in range(3)]
    for number in (0, 1, 0, 2, 0, 1):
        clients[number].ask(request)
    for client in clients:
        client.__exit__()
    # The third takes the second's number, emptied; the second, when it is back, that of the third.
    assert predictor.asked == [(0,), (1,), (0,), (1,), (0,), (1,)]
    assert predictor.told.count(((1,), None)) == 3


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"type": "fly"}, "The type is none of predict, reset, info."),
        ({"type": ["predict"]}, "The type is none of"),
        ({}, "The type is none of"),
        ({"type": "predict"}, "'image' is no array"),
        ({"type": "predict", "image": "cat.png"}, "'image' is no array"),
        ({"type": "predict", "image": np.zeros((4, 4), np.uint8)}, r"'image' is uint8 (4, 4)"),
        ({"type": "predict", "image": np.zeros((4, 4, 3))}, "'image' is float64 (4, 4, 3)"),
        ({"type": "predict", "image": np.zeros((0, 4, 3), np.uint8)}, "(0, 4, 3); expected"),
        ({"type": "predict", "images": frames(1)[0]}, "expected uint8 (n, height, width, 3)"),
        ({"type": "predict", "images": frames(2), "sessions": [1]}, "2 images for 1 sessions"),
        ({"type": "predict", "images": frames(2), "sessions": [1, 1]}, "different ones"),
        ({"type": "predict", "images": frames(2), "sessions": [1, "a"]}, "whole numbers"),
        ({"type": "predict", "images": frames(9)}, "not up to 8 different ones"),
        ({"type": "reset", "sessions": 5}, "no list of whole numbers"),
        ({"type": "reset", "seed": -1}, "The seed is no whole number"),
        ({"type": "reset", "seed": 2**70}, "The seed is no whole number"),
        ({"type": "reset", "seed": "abc"}, "The seed is no whole number"),
    ],
)
def test_a_wrong_request_is_told_so_in_one_sentence(serve, caplog, request_, message):
    server = serve(max_sessions=8)
    with PublicClient(server.address) as client:
        reply = client.ask(request_)
        assert client.ask({"type": "info"})["status"] == "ok"
    assert reply["status"] == "error"
    assert message in reply["message"]
    assert len(caplog.records) == 1
    assert "\n" not in caplog.text.strip()


def test_messages_in_a_wrong_form_are_refused_and_logged_without_their_content(serve, caplog):
    server = serve()
    with PublicClient(server.address) as client:
        for parts in ([b""], [b"", b""], [b"SECRET", b"SECRET"], [b"SECRET"] * 9):
            assert pickle.loads(client.ask_bytes(*parts))["status"] == "error"
        assert len(caplog.records) == 4
        assert "SECRET" not in caplog.text
        too_large = bytes(wire.MAX_BYTES + 1)
        reply = pickle.loads(client.ask_bytes(too_large))
        assert "at most 67108864 are read" in reply["message"]
        assert client.ask({"type": "info"})["status"] == "ok"


def test_peers_that_are_no_clients_or_vanish_do_no_harm(serve):
    server = serve()
    context = zmq.Context()
    for parts in ([b"no empty part"], [b"a", b"b"], [b"x" * 300, b"", b"N."], [b""] * 20):
        dealer = context.socket(zmq.DEALER)
        dealer.connect(server.address)
        dealer.send_multipart(parts)
        assert dealer.poll(5000)
        assert pickle.loads(dealer.recv_multipart()[-1])["status"] == "error"
        dealer.close(linger=0)
    for _ in range(20):
        vanishing = context.socket(zmq.REQ)
        vanishing.connect(server.address)
        vanishing.send(pickle.dumps({"type": "predict", "image": frames(1)[0]}))
        vanishing.close(linger=50)
    cut_off = context.socket(zmq.REQ)
    cut_off.connect(server.address)
    cut_off.send(bytes(2 * wire.MAX_BYTES + 1))
    assert not cut_off.poll(300)  # far beyond the limit: no reply, the connection is cut
    context.destroy(linger=0)
    with PublicClient(server.address) as client:
        assert client.ask({"type": "info"})["status"] == "ok"


class Failing:
    """A predictor in which everything goes wrong."""

    name, horizon, max_sessions = "failing", 18, None

    def __init__(self, outcome):
        self.outcome = outcome

    def reset(self, sessions, seed):
        pass

    def predict(self, frames, sessions):
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def close(self):
        pass


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (RuntimeError("out of\nmemory"), "Failed to predict: RuntimeError: out of memory"),
        (np.full((1, 18, 25), np.nan, np.float32), "numbers that are not finite"),
        (KeyError("x"), "Failed to predict: KeyError: 'x'"),
    ],
)
def test_a_failing_prediction_is_an_error_reply(serve, outcome, message):
    server = serve(Failing(outcome))
    with PublicClient(server.address) as client:
        reply = client.ask({"type": "predict", "image": frames(1)[0]})
        assert reply == {"status": "error", "message": reply["message"]}
        assert message in reply["message"]
        info = client.ask({"type": "info"})["info"]
    assert info["context_length"] == 1  # a predictor that tells nothing of itself


def test_listening_elsewhere_than_on_loopback_is_warned_of_once(caplog):
    for host, warnings in (("127.0.0.1", 0), ("localhost", 0), ("0.0.0.0", 1)):
        caplog.clear()
        NitroGenServer(Failing(None), host=host, port=0).close()
        assert len(caplog.records) == warnings


def test_a_port_in_use_and_an_unknown_host_are_told(serve):
    port = int(serve().address.rpartition(":")[2])
    with pytest.raises(OSError, match=rf"127\.0\.0\.1, port {port}: Address already in use\.$"):
        NitroGenServer(Failing(None), port=port)
    with pytest.raises(OSError, match=r"no interface 'nowhere\.invalid' to listen on"):
        NitroGenServer(Failing(None), host="nowhere.invalid", port=0)
    with pytest.raises(ValueError, match="max_sessions must be at least 1"):
        NitroGenServer(Failing(None), port=0, max_sessions=0)


def test_closing_gives_the_port_back_and_may_be_repeated():
    with NitroGenServer(Failing(None), port=0).start() as server:
        port = int(server.address.rpartition(":")[2])
        server.stop()
    server.close()
    NitroGenServer(Failing(None), port=port).close()


# The client


def test_a_remote_predictor_predicts_what_the_local_one_does(serve, remote):
    server = serve(Noted(lively()), checkpoint="weights/mine.pt")
    client = remote(server.address)
    local, shown = LocalPredictor(lively()), frames(3)
    for predictor in (client, local):
        predictor.reset([0, 1], seed=4)
        predictor.reset([2], seed=9)
    for _ in range(2):
        rows, expected = (one.predict(shown, [0, 1, 2]) for one in (client, local))
        assert rows.dtype == np.float32
        np.testing.assert_allclose(rows[..., 21:], np.clip(expected[..., 21:], 0, 1), atol=1e-5)
        np.testing.assert_array_equal(rows[..., :21], expected[..., :21] > 0.5)
    assert client.name == f"mine@{server.address.removeprefix('tcp://')}"
    assert client.horizon == 18
    assert client.info()["ckpt_path"] == "weights/mine.pt"


def test_a_batch_is_one_request_unless_it_is_too_large(serve, remote, monkeypatch):
    predictor = Noted(lively(), quiet=True)
    client = remote(serve(predictor).address)
    whole = client.predict(frames(5), [*range(5)])
    monkeypatch.setattr(wire, "MAX_BYTES", 2**20 + 3 * 64 * 64 * 3)
    parts = client.predict(frames(5), [*range(5)])
    assert predictor.asked == [(0, 1, 2, 3, 4), (0, 1, 2), (3, 4)]
    np.testing.assert_allclose(parts, whole, atol=1e-5)


def test_a_client_keeps_to_the_sessions_that_the_server_has(serve, remote):
    client = remote(serve(max_sessions=2).address)
    assert client.max_sessions == 2
    client.predict(frames(2), [0, 1])
    with pytest.raises(ValueError, match="can tell 2 sessions apart, got 3"):
        client.predict(frames(1), [2])


def test_a_public_server_is_asked_once_for_each_arena(remote):
    def brightness(request):
        pred = parts_of_a_pred()
        return {**pred, "j_left": pred["j_left"] * 0 + request["image"].mean() / 255}

    with PublicServer(brightness) as server:
        client = remote(server.address)
        client.reset([0, 1], seed=3)
        shown = np.stack([np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)])
        rows = client.predict(shown, [0, 1])
        client.close()
    assert [request["type"] for request in server.requests] == ["info", "reset"] + ["predict"] * 2
    assert all(set(request) <= {"type", "image"} for request in server.requests)
    np.testing.assert_allclose(rows[:, 0, 21:23], [[0.5, 0.5], [1.0, 1.0]])
    np.testing.assert_allclose(rows[:, :, 23:], 0.75)
    assert (rows[..., :21] == 1).all()
    assert client.name.startswith("ng@127.0.0.1:")
    assert client.max_sessions is None


def test_a_public_server_of_several_frames_serves_one_arena(remote):
    with PublicServer(context_length=2) as server:
        client = remote(server.address)
        client.predict(frames(1), [0])
        with pytest.raises(ValueError, match=r"can tell 1 sessions apart, got 2"):
            client.predict(frames(1), [1])
        with pytest.raises(ValueError, match="play in that many arenas"):
            client.predict(frames(2), [0, 1])
        client.reset([1], seed=0)
        client.predict(frames(1), [1])
        client.close()
    assert client.max_sessions == 1


@pytest.mark.parametrize(
    ("pred", "message"),
    [
        (None, "sent no 'pred'"),
        ({}, "sent 'buttons' as no array"),
        ({"j_left": np.zeros((16, 2))}, r"'j_left' as \(16, 2\); expected \(18, 2\)"),
        ({"j_right": np.full((18, 2), np.inf)}, "'j_right' with numbers that are not finite"),
        ({"buttons": [[0] * 21] * 18}, "'buttons' as no array"),
        ({"buttons": np.array([{}] * 3)}, "sent what cannot be read"),
    ],
)
def test_what_a_server_must_not_predict_is_refused(remote, pred, message):
    sent = {**parts_of_a_pred(), **pred} if pred else pred
    with PublicServer(lambda request: sent) as server:
        client = remote(server.address)
        with pytest.raises(ServerError, match=message) as refused:
            client.predict(frames(1), [0])
        assert "\n" not in str(refused.value)
        client.close()


def test_a_refusal_is_told_with_the_servers_own_words(serve, remote):
    client = remote(serve(Failing(RuntimeError("out of memory"))).address)
    with pytest.raises(ServerError, match="refused: Failed to predict: RuntimeError: out of mem"):
        client.predict(frames(1), [0])
    assert client.info()["extensions"]


class Stuck(LocalPredictor):
    """Waits in its first prediction until it is let go."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.let_go = threading.Event()
        self.asked = []

    def predict(self, frames, sessions):
        self.asked.append(tuple(sessions))
        assert self.let_go.wait(10)
        return super().predict(frames, sessions)


def test_a_request_that_timed_out_is_not_repeated_and_the_next_gets_its_own_answer(serve, remote):
    predictor = Stuck(lively(), quiet=True)
    client = remote(serve(predictor).address, timeout_s=0.5)
    shown = frames(2)
    with pytest.raises(ServerError, match=r"did not answer within 0\.5 s\.$"):
        client.predict(shown[:1], [0])
    expected = LocalPredictor(lively(), quiet=True).predict(shown[1:], [1])
    time.sleep(0.2)  # the client is back under its old name: the late answer finds its way to it
    predictor.let_go.set()
    np.testing.assert_allclose(
        client.predict(shown[1:], [1])[..., 21:], np.clip(expected[..., 21:], 0, 1), atol=1e-5
    )
    assert predictor.asked == [(0,), (1,)]


def test_a_client_finds_its_server_again_and_its_session_there(serve, remote):
    predictor = Noted(lively(context=2), quiet=True)
    server = serve(predictor)
    client = remote(server.address)
    client.predict(frames(1), [0])
    client._renew()  # what a lost request does
    client.predict(frames(1), [0])
    assert predictor.asked == [(0,), (0,)]


def test_a_server_that_is_gone_is_told_in_one_sentence(remote):
    server = NitroGenServer(LocalPredictor(lively()), port=0).start()
    client = remote(server.address, timeout_s=0.1)
    server.close()
    with pytest.raises(ServerError, match=r"^The server at tcp://\S+ did not answer within 0\.1 s"):
        client.predict(frames(1), [0])
    with pytest.raises(ServerError, match="did not answer"):
        client.reset([0], seed=1)
    with pytest.raises(ServerError, match=r"^No server listens at tcp://\S+: Connection refused"):
        RemotePredictor(server.address)
    client.close()
    with pytest.raises(ServerError, match="was closed"):
        client.predict(frames(1), [0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RemotePredictor("localhost:5555"), "no address; expected one as in tcp://"),
        (lambda: RemotePredictor("tcp://localhost"), "no address"),
        (lambda: RemotePredictor("tcp://127.0.0.1:5555", timeout_s=0), "must be above 0"),
    ],
)
def test_a_wrong_address_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_frames_of_another_form_are_refused(serve, remote):
    client = remote(serve().address)
    with pytest.raises(ValueError, match=r"expected uint8 \(1, height, width, 3\)"):
        client.predict(np.zeros((2, 8, 8, 3), np.uint8), [0])


# Many clients


class Gate(Noted):
    """Waits in its first prediction until it is let go, while others come to wait."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.entered, self.let_go = threading.Event(), threading.Event()

    def predict(self, frames, sessions):
        rows = super().predict(frames, sessions)
        self.entered.set()
        assert self.let_go.wait(20)
        return rows


class Crowd:
    """Clients by hand that send without waiting, and are read later."""

    def __init__(self, server, count):
        self.context = zmq.Context()
        self.sockets = [self.context.socket(zmq.DEALER) for _ in range(count)]
        for socket in self.sockets:
            socket.connect(server.address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.destroy(linger=0)

    def send(self, number, request):
        self.sockets[number].send_multipart([b"", pickle.dumps(request)])

    def read(self, number):
        assert self.sockets[number].poll(20_000)
        return pickle.loads(self.sockets[number].recv_multipart()[-1])


def until(true):
    """Wait for something that happens in another thread."""
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def waiting(server):
    return len(server._queue._jobs)


def pred_of(rows):
    """What a server answers for rows, as bytes."""
    sticks = np.clip(rows[..., 21:] * 2 - 1, -1, 1)
    return sticks.tobytes(), (rows[..., :21] > 0.5).tobytes()


def answer_of(reply):
    sticks = np.concatenate([reply["pred"]["j_left"], reply["pred"]["j_right"]], axis=-1)
    return sticks.tobytes(), (reply["pred"]["buttons"] == 1).tobytes()


def together(server, crowd, requests):
    """The answers to requests that come while the last of the clients keeps the model busy."""
    predictor = server._predictor
    predictor.entered.clear()
    predictor.let_go.clear()
    crowd.send(-1, {"type": "predict", "image": frames(1)[0]})
    assert predictor.entered.wait(20)
    for number, request in enumerate(requests):
        crowd.send(number, request)
    until(lambda: waiting(server) == len(requests))
    predictor.let_go.set()
    crowd.read(-1)
    return [crowd.read(number) for number in range(len(requests))]


def test_requests_that_wait_share_the_next_pass_and_get_the_bytes_of_one_alone(serve):
    """With noise, frames seen before, and from one to three sessions of a client."""
    rounds, sessions = 3, [[*range(1 + client % 3)] for client in range(12)]
    shown = frames(rounds * 36).reshape(rounds, 12, 3, 64, 64, 3)
    server = serve(Gate(lively(context=2)))
    with Crowd(server, 13) as crowd:
        resets = [{"type": "reset", "sessions": own, "seed": 7} for own in sessions]
        assert together(server, crowd, resets) == [{"status": "ok"}] * 12
        answers = []
        for images in shown:
            requests = [
                {"type": "predict", "images": images[client, : len(own)], "sessions": own}
                for client, own in enumerate(sessions)
            ]
            answers.append([*map(answer_of, together(server, crowd, requests))])
        assert len(server._predictor.asked[-1]) == 24
    for client, own in enumerate(sessions):
        local = LocalPredictor(lively(context=2))
        local.reset(own, seed=7)
        for images, answer in zip(shown, answers, strict=True):
            assert answer[client] == pred_of(local.predict(images[client, : len(own)], own))


def test_clients_that_play_at_once_get_what_each_gets_alone(serve, remote):
    def played(client, number, rounds=4):
        client.reset([0, 1], seed=number)
        shown = frames(2 * rounds, seed=number).reshape(rounds, 2, 64, 64, 3)
        return [client.predict(one.copy(), [0, 1]).tobytes() for one in shown]

    server = serve(LocalPredictor(lively(context=2)))
    alone = [played(remote(server.address), number) for number in range(6)]
    clients = [remote(server.address) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        together = [*pool.map(played, clients, range(6))]
    assert together == alone


def test_frames_of_all_sizes_share_a_pass_and_a_pass_has_its_limit(serve):
    predictor = Gate(lively(), quiet=True)
    server = serve(predictor, max_batch=4)
    shown = [frames(1, seed=side, side=side)[0] for side in (64, 32, 100, 64, 7, 64)]
    with Crowd(server, 7) as crowd:
        crowd.send(6, {"type": "predict", "images": frames(5)})  # more than a pass, by itself
        assert predictor.entered.wait(20)
        for number, image in enumerate(shown):
            crowd.send(number, {"type": "predict", "image": image})
        until(lambda: waiting(server) == 6)
        predictor.let_go.set()
        local = LocalPredictor(lively(), quiet=True)
        for number, image in enumerate(shown):
            rows = local.predict(image[None], [number])[0]
            assert answer_of(crowd.read(number)) == pred_of(rows)
    assert [len(sessions) for sessions in predictor.asked] == [5, 4, 2]


def test_a_client_that_sends_ahead_is_answered_in_its_order(serve):
    shown = frames(3)
    requests = [
        {"type": "reset", "seed": 5},
        {"type": "predict", "image": shown[0]},
        {"type": "predict", "image": shown[1]},
        {"type": "reset", "seed": 5},
        {"type": "predict", "image": shown[0]},
        {"type": "predict", "image": shown[2]},
    ]
    local = LocalPredictor(lively(context=2))
    local.reset([0], seed=5)
    first, second = (pred_of(local.predict(shown[one][None], [0])[0]) for one in (0, 1))
    with Crowd(serve(LocalPredictor(lively(context=2))), 1) as crowd:
        for request in requests:
            crowd.send(0, request)
        replies = [crowd.read(0) for _ in requests]
    assert [set(reply) for reply in replies] == [
        {"status"} if request["type"] == "reset" else {"status", "pred"} for request in requests
    ]
    answers = [answer_of(reply) for reply in replies if "pred" in reply]
    assert answers[:3] == [first, second, first]
    assert answers[3] != second


def test_a_full_queue_says_so_and_our_client_waits_for_room(serve, remote):
    predictor = Gate(lively(), quiet=True)
    server = serve(predictor, max_queue=2)
    client = remote(server.address)
    impatient = remote(server.address, timeout_s=0.3)
    request = {"type": "predict", "image": frames(1)[0]}
    with Crowd(server, 4) as crowd, ThreadPoolExecutor(1) as pool:
        crowd.send(0, request)
        assert predictor.entered.wait(20)
        crowd.send(1, request)
        crowd.send(2, request)
        until(lambda: waiting(server) == 2)
        crowd.send(3, request)
        message = "The server is busy: 2 requests wait already; ask again later."
        assert crowd.read(3) == {"status": "error", "message": message, "busy": True}
        crowd.send(3, {"type": "info"})
        assert crowd.read(3)["status"] == "ok"  # what needs no model does not wait for it
        with pytest.raises(ServerError, match="refused: The server is busy: 2 requests wait"):
            impatient.predict(frames(1), [0])
        patient = pool.submit(client.predict, frames(1), [0])
        until(lambda: server.metrics.counts["turned away"] > 4)
        predictor.let_go.set()
        assert patient.result(20).shape == (1, 18, 25)
        assert [crowd.read(number)["status"] for number in range(3)] == ["ok"] * 3


def test_one_client_cannot_fill_the_queue(serve):
    predictor = Gate(lively(), quiet=True)
    server = serve(predictor)
    request = {"type": "predict", "image": frames(1)[0]}
    with Crowd(server, 2) as crowd:
        for _ in range(40):
            crowd.send(0, request)
        assert "8 requests of yours wait already" in crowd.read(0)["message"]
        crowd.send(1, request)
        until(lambda: any(job.route[0] != server._queue._jobs[0].route[0]
                          for job in [*server._queue._jobs]))  # fmt: skip
        predictor.let_go.set()
        assert crowd.read(1)["status"] == "ok"
    assert len(predictor.asked[1]) == 2  # in the next pass, however many of the other's wait


def test_frames_that_wait_are_bounded(serve, monkeypatch):
    monkeypatch.setattr(batching, "QUEUE_BYTES", 3 * 64 * 64 * 3)
    predictor = Gate(lively(), quiet=True)
    server = serve(predictor)
    with Crowd(server, 4) as crowd:
        crowd.send(0, {"type": "predict", "images": frames(9)})  # one alone may be as large
        assert predictor.entered.wait(20)
        crowd.send(1, {"type": "predict", "images": frames(2)})
        until(lambda: waiting(server) == 1)
        crowd.send(2, {"type": "predict", "images": frames(2)})
        assert "The server is busy: 1 requests" in crowd.read(2)["message"]
        crowd.send(3, {"type": "predict", "images": frames(1)})
        until(lambda: waiting(server) == 2)
        predictor.let_go.set()
        assert [crowd.read(number)["status"] for number in (0, 1, 3)] == ["ok"] * 3


def test_clients_that_vanish_or_never_read_cost_the_others_no_more_than_a_place_in_a_pass(serve):
    predictor = Gate(lively(), quiet=True)
    server = serve(predictor)
    request = {"type": "predict", "image": frames(1)[0]}
    with Crowd(server, 20) as gone, Crowd(server, 20) as deaf, Crowd(server, 1) as friend:
        friend.send(0, request)
        assert predictor.entered.wait(20)
        for number in range(20):
            gone.send(number, request)
            deaf.send(number, request)
        until(lambda: waiting(server) == 40)
        gone.__exit__()
        predictor.let_go.set()
        expected = friend.read(0)
        for _ in range(5):
            for number in range(20):
                for _ in range(8):
                    deaf.send(number, request)
            friend.send(0, request)
            np.testing.assert_array_equal(friend.read(0)["pred"]["j_left"],
                                          expected["pred"]["j_left"])  # fmt: skip
        asked = len(predictor.asked)
    assert predictor.asked[1] == tuple(range(1, 41))
    assert asked <= 2 + 8 * 5 + 5  # passes, for 840 requests


class Touchy(Gate):
    """Fails if a white frame is among those that it is shown, having drawn all noise."""

    def _sample(self, sessions, newest):
        rows = super()._sample(sessions, newest)
        if any(bool((frame == 1).all()) for frame in newest):
            raise RuntimeError("dazzled")
        return rows


def test_who_makes_a_pass_fail_fails_alone(serve, caplog):
    caplog.set_level(logging.CRITICAL)
    server = serve(Touchy(lively()))
    local = LocalPredictor(lively())
    white = np.full((64, 64, 3), 255, np.uint8)
    with Crowd(server, 4) as crowd:
        together(server, crowd, [{"type": "reset", "seed": 7}] * 3)
        local.reset([0, 1, 2], seed=7)
        for turn in range(2):
            shown = [*frames(2, seed=turn), white]
            requests = [{"type": "predict", "image": one} for one in shown]
            *others, own = together(server, crowd, requests)
            assert own["message"] == "Failed to predict: RuntimeError: dazzled"
            for number in (0, 1):  # the noise of the failed pass is not lost
                expected = pred_of(local.predict(shown[number][None], [number])[0])
                assert answer_of(others[number]) == expected
    assert server.metrics.counts["failed"] == 2


def test_a_pass_never_takes_a_session_from_a_request_in_it(serve):
    predictor = Gate(lively(), quiet=True)
    server = serve(predictor, max_sessions=3)
    with Crowd(server, 6) as crowd:
        crowd.send(0, {"type": "predict", "image": frames(1)[0]})
        assert predictor.entered.wait(20)
        for number in range(1, 6):
            crowd.send(number, {"type": "predict", "image": frames(1)[0]})
        until(lambda: waiting(server) == 5)
        predictor.let_go.set()
        assert [crowd.read(number)["status"] for number in range(6)] == ["ok"] * 6
    assert [len(set(sessions)) for sessions in predictor.asked] == [1, 3, 2]


def test_who_waits_when_the_server_stops_is_told(serve):
    predictor = Gate(lively(), quiet=True)
    server = serve(predictor)
    request = {"type": "predict", "image": frames(1)[0]}
    with Crowd(server, 2) as crowd:
        crowd.send(0, request)
        assert predictor.entered.wait(20)
        crowd.send(1, request)
        until(lambda: waiting(server) == 1)
        server.stop()
        until(lambda: server._queue._closed)
        predictor.let_go.set()
        server.close()
        assert crowd.read(0)["status"] == "ok"
        assert crowd.read(1)["message"] == "The server was stopped before this was served."


def test_64_clients_wait_for_the_pass_at_hand_and_one_that_they_share(serve):
    """Two passes, whatever one takes. `examples/serving_load.py` times it."""
    server = serve(Gate(lively(), quiet=True))
    requests = [{"type": "predict", "image": one} for one in frames(64)]
    with Crowd(server, 65) as crowd:
        replies = together(server, crowd, requests)
    assert [reply["status"] for reply in replies] == ["ok"] * 64
    assert [len(sessions) for sessions in server._predictor.asked] == [1, 64]


def test_metrics_are_in_the_log_at_intervals_and_in_the_end(serve, caplog):
    caplog.set_level(logging.INFO)
    server = serve(LocalPredictor(lively(), quiet=True), log_every_s=0.2)
    with PublicClient(server.address) as client:
        client.ask({"type": "info"})
        client.ask({"type": "predict", "image": frames(1)[0]})
        client.ask({"type": "predict"})
        until(lambda: " requests (1 refused" in caplog.text)
        time.sleep(0.5)  # in which nothing happens and nothing is said
        client.ask({"type": "reset"})
    server.close()
    told = [record.getMessage() for record in caplog.records if record.levelname == "INFO"]
    assert len([one for one in told if one.startswith("In all, ")]) == 1
    pattern = (
        r"In all, \d+ s: 4 requests \(1 refused, 0 failed, 0 turned away\); latency p50 \S+ ms, "
        r"p95 \S+ ms, p99 \S+ ms; 1 forward passes of 1 requests on average, 1 at most\."
    )
    assert re.fullmatch(pattern, told[-1])
    assert 2 <= len(told) <= 5  # an interval in which something happened, each, and all of them


def test_percentiles_are_right_to_one_percent():
    now = [0.0]
    metrics = Metrics(clock=lambda: now[0])
    assert str(metrics) == "0 s: 0 requests (0 refused, 0 failed, 0 turned away)."
    seconds = np.random.default_rng(0).lognormal(-4, 1, 5000)
    for one in seconds:
        metrics.count("served", one)
    metrics.count_pass(3, 5)
    metrics.count_pass(1, 1)
    now[0] = 12.0
    told = metrics.to_dict()
    for percent in (50, 95, 99):
        expected = 1000 * np.percentile(seconds, percent, method="inverted_cdf")
        assert told["latency_ms"][f"p{percent}"] == pytest.approx(expected, rel=0.02)
    assert (told["seconds"], told["requests"], told["passes"], told["frames"]) == (12, 5000, 2, 6)
    assert (told["requests_per_pass"], told["most_requests_per_pass"]) == (2, 3)


@pytest.mark.parametrize("name", ["max_queue", "max_batch", "log_every_s"])
def test_limits_that_allow_nothing_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be "):
        NitroGenServer(Failing(None), port=0, **{name: 0})


def test_a_rollout_plays_on_a_server_as_it_plays_here(serve):
    server = serve(LocalPredictor(lively()))
    agent = make_agent(f"nitrogen:{server.address}")
    far = rollout(agent, episodes=2, num_envs=2, max_steps=20)
    agent.close()
    assert [episode.actions.shape for episode in far] == [(20, 5)] * 2


def test_serve_says_where_it_listens_and_ends_well_when_interrupted(tmp_path, remote):
    checkpoint.save(tmp_path / "mine.pt", lively())
    command = [sys.executable, "-m", "arena_breaker_gym", "nitrogen", "serve"]
    process = subprocess.Popen(
        [*command, str(tmp_path / "mine.pt"), "--port", "0", "--device", "cpu", "--steps", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        said = process.stdout.readline()
        address = next(word for word in said.split() if word.startswith("tcp://"))
        client = remote(address)
        assert client.predict(frames(1), [0]).shape == (1, 18, 25)
        assert client.name.startswith("mine@")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, out) == (0, "")
    assert re.fullmatch(
        r"\S+ \S+ INFO In all, \d+ s: 2 requests \(0 refused, 0 failed, 0 turned away\); "
        r"latency p50 \S+ ms, p95 \S+ ms, p99 \S+ ms; "
        r"1 forward passes of 1 requests on average, 1 at most\.\n",
        err,
    )
