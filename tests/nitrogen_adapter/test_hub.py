"""A model's folder keeps to a hub's conventions; a hub on loopback takes models and gives them."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests import ROOT

torch = pytest.importorskip("torch")
hub = pytest.importorskip("huggingface_hub")

CheckpointError = pytest.importorskip("nitrogen_adapter.checkpoint").CheckpointError
NitroGen = pytest.importorskip("nitrogen_adapter.model").NitroGen

GOLDEN = ROOT / "tests/data/nitrogen_golden/checkpoint.pt"


@pytest.fixture
def tiny():
    return NitroGen.preset("tiny", seed=5).eval()


def equal(one, other):
    weights = other.state_dict()
    return one.config == other.config and all(
        torch.equal(value, weights[name]) for name, value in one.state_dict().items()
    )


def test_a_folder_has_what_hubs_expect_and_is_read_back(tmp_path, tiny):
    folder = tmp_path / "walker"
    tiny.save_pretrained(folder, description="Walks round a lake.", license="mit")
    assert {file.name for file in folder.iterdir()} == {
        "config.json",
        "model.safetensors",
        "README.md",
    }
    assert json.loads((folder / "config.json").read_text())["model_cfg"]["action_horizon"] == 18
    card = hub.ModelCard.load(folder / "README.md")
    assert card.data.license == "mit"
    assert "nitrogen" in card.data.tags
    assert "Walks round a lake." in card.text
    assert equal(NitroGen.from_pretrained(folder), tiny)
    assert equal(NitroGen.from_pretrained(str(folder)), tiny)


def test_a_card_that_somebody_wrote_stays(tmp_path, tiny):
    (tmp_path / "README.md").write_text("Mine.")
    tiny.save_pretrained(tmp_path)
    assert (tmp_path / "README.md").read_text() == "Mine."


def test_a_folder_is_named_wherever_a_checkpoint_is(tmp_path):
    pytest.importorskip("pyarrow")
    from arena_breaker_agents.nitrogen import NitroGenPolicy
    from nitrogen_adapter.presets import SHIPPED, file_of

    base = NitroGen.from_checkpoint(SHIPPED["base"])
    base.save_pretrained(tmp_path / "base")
    assert equal(NitroGenPolicy.from_source(str(tmp_path / "base")).predictor.model, base)
    assert file_of(str(tmp_path / "base")) == tmp_path / "base/model.safetensors"


def test_a_folder_with_the_public_checkpoint_is_read(tmp_path):
    (tmp_path / "ng.pt").write_bytes(GOLDEN.read_bytes())
    assert equal(NitroGen.from_pretrained(tmp_path), NitroGen.from_checkpoint(GOLDEN))


def spoil(file):
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda folder: spoil(folder / "model.safetensors"), "are not those that were written"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json is truncated"),
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors is missing"),
    ],
)
def test_a_damaged_folder_is_refused(tmp_path, tiny, fault, message):
    tiny.save_pretrained(tmp_path)
    fault(tmp_path)
    with pytest.raises(CheckpointError, match=message):
        NitroGen.from_pretrained(tmp_path)


def test_what_is_neither_a_folder_nor_an_id_is_refused(tmp_path, tiny):
    with pytest.raises(CheckpointError, match=r"There is no folder .*/none"):
        NitroGen.from_pretrained(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="file is a file; expected a folder"):
        tiny.save_pretrained(tmp_path / "file")


def test_without_the_hubs_library_a_sentence_names_the_extra(monkeypatch, tiny):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    for ask in (lambda: NitroGen.from_pretrained("me/walker"), lambda: tiny.push_to_hub("me/w")):
        with pytest.raises(ImportError, match=r"needs huggingface_hub, .*\[nitrogen\]"):
            ask()


class Hub(BaseHTTPRequestHandler):
    """The few calls of a hub that models are written and read by, kept in memory."""

    COMMIT = "c" * 40

    def log_message(self, *_):
        """A test's server says nothing."""

    def answer(self, status, body=b"", **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/api/repos/create":
            self.answer(200, {"url": f"{self.server.url}/me/walker", "name": "me/walker"})
        elif "/preupload/" in self.path:
            files = [
                {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                for one in json.loads(body)["files"]
            ]
            self.answer(200, {"files": files})
        elif "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    content = base64.b64decode(line["value"]["content"])
                    self.server.files[line["value"]["path"]] = content
            commit = {
                "commitOid": self.COMMIT,
                "commitUrl": f"{self.server.url}/me/walker/commit/1",
            }
            self.answer(200, commit)
        else:
            self.answer(200, {})

    def do_GET(self):
        if found := re.match(r"/me/walker/resolve/\w+/([\w.]+)$", self.path):
            self.file(found[1])
        elif "/api/models/me/walker/tree/" in self.path:
            tree = [self.entry(*file) for file in self.server.files.items()]
            self.answer(200, tree)
        elif "/api/models/me/walker" in self.path:
            siblings = [{"rfilename": name} for name in self.server.files]
            self.answer(200, {"id": "me/walker", "sha": self.COMMIT, "siblings": siblings})
        else:
            self.answer(404, {"error": "not found"}, X_Error_Code="RepoNotFound")

    do_HEAD = do_GET  # noqa: N815

    @staticmethod
    def entry(name, content):
        return {"type": "file", "path": name, "size": len(content), "oid": tag_of(content)}

    def file(self, name):
        content = self.server.files.get(name)
        if content is None:
            self.answer(404, X_Error_Code="EntryNotFound")
        else:
            self.answer(200, content, ETag=f'"{tag_of(content)}"', X_Repo_Commit=self.COMMIT)


def tag_of(content):
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


@pytest.fixture
def loopback_hub():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.url, server.files = f"http://127.0.0.1:{server.server_port}", {}
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def run(code, folder, url):
    """Code in a process whose hub is another; the library reads its address once."""
    environment = {
        **os.environ,
        "HF_ENDPOINT": url,
        "HF_HOME": str(folder / "home"),
        "HF_TOKEN": "hf_test",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    environment.pop("HF_HUB_OFFLINE", None)
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,  # of a busy machine
        check=False,
    )


THERE_AND_BACK = """
from nitrogen_adapter import CheckpointError, NitroGen
model = NitroGen.preset("tiny", seed=5)
print(model.push_to_hub("me/walker", license="mit"))
model.push_to_hub("me/walker", license="other")
NitroGen.from_pretrained("me/walker").save_pretrained("copy")
try:
    NitroGen.from_pretrained("me/nobody")
except CheckpointError as error:
    print(error)
"""
OUT_OF_REACH = """
from nitrogen_adapter import CheckpointError, NitroGen
try:
    NitroGen.from_pretrained("me/walker")
except CheckpointError as error:
    print(error)
"""
NOT_GIVEN = "There is no folder me/{}, and the hub did not give a model of that id: "


def test_a_model_goes_to_a_hub_and_comes_back(tmp_path, loopback_hub, tiny):
    done = run(THERE_AND_BACK, tmp_path, loopback_hub.url)
    assert done.returncode == 0, done.stderr
    address, nobody = done.stdout.splitlines()
    assert address == f"{loopback_hub.url}/me/walker/commit/1"
    assert nobody.startswith(NOT_GIVEN.format("nobody"))
    assert set(loopback_hub.files) == {"config.json", "model.safetensors", "README.md"}
    card = loopback_hub.files["README.md"]
    assert b'from_pretrained("me/walker")' in card
    assert b"license: mit" in card  # a card that is there stays
    assert equal(NitroGen.from_pretrained(tmp_path / "copy"), tiny)


def test_a_hub_out_of_reach_is_said_in_one_sentence(tmp_path):
    done = run(OUT_OF_REACH, tmp_path, "http://127.0.0.1:9")
    (said,) = done.stdout.splitlines()
    assert said.startswith(NOT_GIVEN.format("walker"))
