"""The API as clients meet it: a real server, real requests."""

from __future__ import annotations

import hashlib
import signal
import socket
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx2 as httpx
import pytest

from ensemble.predict.predictor import load_bundle
from ensemble.predict.verdicts import CANNOT
from tests.ensemble.predict.golden import GOLDEN
from tests.ensemble.serve.conftest import BUNDLE, Server, photograph, serving

pytestmark = pytest.mark.process
SIDE = load_bundle(BUNDLE).manifest.size[0]


def test_a_photograph_is_answered_as_on_the_command_line(server: Server) -> None:
    content = photograph(3, SIDE)
    response = server.check(content, params={"name": "a.png"})
    assert response.status_code == 200, response.text
    (result,) = response.json()["results"]
    (expected,) = load_bundle(BUNDLE).predict([content])
    assert result["name"] == "a.png"
    assert result["sha256"] == hashlib.sha256(content).hexdigest()
    assert result["verdict"] == expected.verdict
    assert result["probability"] == pytest.approx(expected.probability, abs=1e-6)
    assert result["members"] == pytest.approx(dict(expected.members), abs=1e-6)
    assert (result["width"], result["height"], result["format"]) == (SIDE, SIDE, "PNG")
    assert 0 < result["prior"] < 1
    assert "No verdict is a proof" in response.json()["caution"]
    assert response.json()["ensemble"]["name"] == load_bundle(BUNDLE).manifest.name


def test_files_of_a_form_are_answered_in_order(server: Server) -> None:
    contents = [photograph(seed, SIDE) for seed in range(7)]
    files = [("files", (f"{number}.png", content)) for number, content in enumerate(contents)]
    files.insert(3, ("files", ("text.png", b"no photograph")))
    response = server.client.post("/v1/check", files=files)
    assert response.status_code == 200, response.text
    results = response.json()["results"]
    assert [result["name"] for result in results] == [
        "0.png",
        "1.png",
        "2.png",
        "text.png",
        "3.png",
        "4.png",
        "5.png",
        "6.png",
    ]
    assert results[3]["verdict"] == CANNOT
    assert "no photograph that can be read" in results[3]["reason"]
    together = load_bundle(BUNDLE).predict(contents)
    found = [result["probability"] for result in results if result["name"] != "text.png"]
    assert found == pytest.approx([answer.probability for answer in together], abs=1e-6)


def test_many_clients_get_their_own_answers(server: Server) -> None:
    contents = [photograph(seed, SIDE) for seed in range(40)]
    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(server.check, contents))
    assert {response.status_code for response in responses} == {200}
    found = [response.json()["results"][0] for response in responses]
    assert [result["sha256"] for result in found] == [hashlib.sha256(content).hexdigest() for content in contents]
    expected = [answer.probability for answer in load_bundle(BUNDLE).predict(contents)]
    assert [result["probability"] for result in found] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (b"", 422, "empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 422, "can be read (JPEG, PNG"),
        (photograph(0, 64)[:200], 422, "truncated"),
        (photograph(0, 8), 422, "pixels"),
        (photograph(0, SIDE, "JPEG")[:-300], 422, "truncated"),
    ],
    ids=["empty", "svg", "a cut PNG", "tiny", "a cut JPEG"],
)
def test_what_is_no_photograph_is_refused_with_the_reason(
    server: Server, content: bytes, status: int, words: str
) -> None:
    response = server.check(content)
    assert response.status_code == status
    assert words in response.json()["error"]
    assert response.json()["error"].startswith("photograph: ")


def test_requests_that_are_none_are_refused(server: Server) -> None:
    assert server.client.get("/v1/check").status_code == 405
    assert server.client.get("/nothing").json() == {"error": "not found"}
    fields = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n'
    response = server.check(fields, headers={"content-type": "multipart/form-data; boundary=x"})
    assert response.status_code == 400
    assert "the form has no files" in response.json()["error"]
    two = [("files", (f"{number}.png", photograph(number, SIDE))) for number in range(2)]
    response = server.client.post("/v1/patches", files=two)
    assert (response.status_code, response.json()["error"]) == (400, "send one photograph for a map, not 2")
    form = {"content-type": "multipart/form-data"}
    assert "boundary" in server.check(b"--x", headers=form).json()["error"]
    form = {"content-type": "multipart/form-data; boundary=x"}
    assert server.check(b"--x\r\nnonsense", headers=form).status_code == 400
    many = [("files", (f"{number}.png", b"")) for number in range(33)]
    response = server.client.post("/v1/check", files=many)
    assert response.status_code == 413
    assert response.json()["error"] == "a request may have at most 32 photographs"


def test_options_that_cannot_be_read_are_named(server: Server) -> None:
    response = server.check(photograph(0, SIDE), params={"details": "perhaps"})
    assert response.status_code == 400
    assert response.json()["error"].startswith("query.details: input should be a valid boolean")


def test_every_response_is_safe_and_kept_by_nobody(server: Server) -> None:
    for response in (server.client.get("/"), server.client.get("/v1/card"), server.check(b"")):
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "server" not in response.headers


def test_other_names_of_the_server_are_refused(server: Server) -> None:
    """A page elsewhere may point its own name at this machine, and would then read what is answered."""
    for path in ("/v1/health", "/", "/v1/card", "/static/check.js", "/v1/openapi.json", "/nothing"):
        response = server.client.get(path, headers={"host": "evil.example"})
        assert response.status_code == 403
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert "called by another name" in response.json()["error"]


def test_the_schema_describes_what_is_answered(server: Server) -> None:
    schema = server.client.get("/v1/openapi.json").json()
    assert set(schema["paths"]) == {"/v1/check", "/v1/patches", "/v1/ensemble", "/v1/health", "/v1/card"}
    check = schema["paths"]["/v1/check"]["post"]
    assert "429" in check["responses"]
    assert set(check["requestBody"]["content"]) == {"multipart/form-data", "application/octet-stream"}
    assert {parameter["name"] for parameter in check["parameters"]} == {"details", "name"}
    assert "security" not in check, "this one asks for no key"


def test_a_key_is_asked_for_where_there_is_one(tmp_path: Path) -> None:
    with serving(tmp_path, ENSEMBLE_API_KEY="a secret") as server:
        assert server.check(photograph(0, SIDE)).status_code == 401
        assert server.check(photograph(0, SIDE), headers={"x-api-key": "another"}).status_code == 401
        assert server.check(photograph(0, SIDE), headers={"x-api-key": "a secret"}).status_code == 200
        assert server.check(photograph(0, SIDE), headers={"authorization": "Bearer a secret"}).status_code == 200
        assert server.client.get("/v1/health").status_code == 200
        schema = server.client.get("/v1/openapi.json").json()
        assert schema["paths"]["/v1/check"]["post"]["security"] == [{"APIKeyHeader": []}]
    assert "a secret" not in server.errors.read_text()


def test_limits_are_said_in_the_answer(tmp_path: Path) -> None:
    with serving(tmp_path, "--max-per-minute", 6, "--max-mib", 1, "--max-photos", 2) as server:
        response = server.check(bytes(2**20 + 1))
        assert response.status_code == 413
        assert response.json()["error"] == "a request may have at most 1 MiB"

        def endless() -> object:
            while True:
                yield bytes(2**16)

        with suppress(httpx.TransportError):  # it may never read the answer
            assert server.check(endless()).status_code == 413  # type: ignore[arg-type]
        assert server.check(iter([bytes(2**16)] * 64)).status_code == 413  # type: ignore[arg-type]  without a length
        assert [server.check(photograph(0, SIDE)).status_code for _ in range(4)] == [200, 200, 200, 429], (
            "those were counted too"
        )
        response = server.check(photograph(0, SIDE))
        assert 1 <= int(response.headers["retry-after"]) <= 60
        response = server.client.post("/v1/patches", content=photograph(0, SIDE))
        assert response.status_code == 429, "it was counted as one before"


def test_too_much_at_a_time_is_put_off(tmp_path: Path) -> None:
    """Of 33 photographs at a time one more waits than may; which of the two requests comes first is open."""
    many = [("files", (f"{number}.png", photograph(number, SIDE))) for number in range(32)]
    with serving(tmp_path, "--max-waiting", 32) as server, ThreadPoolExecutor(4) as pool:
        sent = [pool.submit(server.client.post, "/v1/check", files=many) for _ in range(8)]
        responses = [response.result() for response in sent]
        assert {response.status_code for response in responses} == {200, 503}
        refused = next(response for response in responses if response.status_code == 503)
        assert int(refused.headers["retry-after"]) >= 1
        assert "too many photographs are waiting" in refused.json()["error"]


def test_an_answer_that_takes_too_long_is_put_off(tmp_path: Path) -> None:
    with serving(tmp_path, "--max-seconds", 0.1) as server:
        response = server.client.post("/v1/patches", content=photograph(0, SIDE))
        many = [("files", (f"{number}.png", photograph(number, SIDE))) for number in range(32)]
        while response.status_code == 200:  # a fast machine
            response = server.client.post("/v1/check?details=true", files=many)
        assert response.status_code == 503
        assert "no answer within 0.1 s" in response.json()["error"]


def test_what_can_never_be_answered_is_not_put_off(tmp_path: Path) -> None:
    with serving(tmp_path, "--max-per-minute", 30, "--max-waiting", 32) as server:
        assert server.client.get("/v1/ensemble").json()["photographs"] == 30
        response = server.client.post("/v1/patches", content=photograph(0, SIDE))
        assert response.status_code == 413
        assert response.json()["error"] == "it counts as 37 photographs, and at most 30 a minute may come; send fewer"
        assert "retry-after" not in response.headers
    with serving(tmp_path, "--max-waiting", 32) as server:
        response = server.client.post("/v1/patches", content=photograph(0, SIDE))
        assert response.status_code == 413
        assert response.json()["error"] == "it counts as 37 photographs, and at most 32 may wait; send fewer"
        two = [("files", (f"{number}.png", photograph(number, SIDE))) for number in range(2)]
        assert "send one photograph for a map" in server.client.post("/v1/patches", files=two).json()["error"]


def test_who_is_refused_reads_why_also_in_the_middle_of_a_large_upload(tmp_path: Path) -> None:
    with serving(tmp_path, "--max-per-minute", 2, ENSEMBLE_API_KEY="a secret") as server:
        for headers, status in (({}, 401), ({"x-api-key": "a secret"}, 422), ({"x-api-key": "a secret"}, 429)):
            begun = time.monotonic()
            assert server.check(bytes(20 * 2**20), headers=headers).status_code == status
            assert time.monotonic() - begun < 1.5, "nobody waits for what has come already"


def test_what_was_begun_is_finished_when_the_server_ends(tmp_path: Path) -> None:
    with serving(tmp_path) as server, ThreadPoolExecutor(1) as pool:
        files = [("files", (f"{number}.png", photograph(number, SIDE))) for number in range(32)]
        response = pool.submit(server.client.post, "/v1/check", files=files)
        time.sleep(0.05)
        server.process.send_signal(signal.SIGTERM)
        assert response.result().status_code == 200
        assert server.process.wait(30) == 0
    assert server.errors.read_text().count("\n") == 1, "nothing but the address"


def answered(server: Server, content: bytes) -> float:
    """Ask until there is an answer: of a killed worker clients have to expect a broken connection, or 503."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with suppress(httpx.TransportError):
            response = server.check(content)
            if response.status_code != 503:
                assert response.status_code == 200, response.text
                return float(response.json()["results"][0]["probability"])
        time.sleep(0.05)
    raise AssertionError("never answered")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_worker_costs_no_answer(tmp_path: Path, workers: int) -> None:
    contents = [photograph(seed, SIDE) for seed in range(40)]
    expected = [answer.probability for answer in load_bundle(BUNDLE).predict(contents)]
    with serving(tmp_path, "--workers", workers) as server, ThreadPoolExecutor(4) as pool:
        first = server.workers()[0]
        answers = [pool.submit(answered, server, content) for content in contents]
        answers[4].result()
        first.kill()
        assert [answer.result() for answer in answers] == pytest.approx(expected, abs=1e-6)
        while len(server.workers()) < workers:
            time.sleep(0.1)
        assert first not in server.workers(), "another one took its place"


def test_workers_end_with_their_supervisor(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        (worker,) = server.workers()
        server.process.kill()
        worker.wait(20)


def test_a_closed_terminal_ends_the_server(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        server.process.send_signal(signal.SIGHUP)
        assert server.process.wait(30) == 0


def test_a_damaged_bundle_is_refused_by_the_worker(tmp_path: Path) -> None:
    with zipfile.ZipFile(BUNDLE) as intact, zipfile.ZipFile(tmp_path / "bad.zip", "w") as damaged:
        for name in intact.namelist():
            content = bytearray(intact.read(name))
            if name.endswith(".safetensors"):
                content[len(content) // 2] ^= 1
            damaged.writestr(name, bytes(content))
    command = [sys.executable, "-m", "ensemble", "serve", tmp_path / "bad.zip", "--port", "0"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "bad.zip" in result.stderr
    assert "damaged" in result.stderr
    assert "Traceback" not in result.stderr


def test_mistakes_are_said_in_a_sentence(tmp_path: Path) -> None:
    def run(*arguments: object) -> str:
        command = [sys.executable, "-m", "ensemble", "serve", *map(str, arguments)]
        result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert result.returncode == 2
        return result.stderr

    assert "there is no bundle nothing.bundle" in run("nothing.bundle")
    assert "the API key is empty" in run(BUNDLE, "--api-key", "")
    assert "--max-seconds takes a number of seconds" in run(BUNDLE, "--max-seconds", "inf")
    assert "cannot listen on ä..de" in run(BUNDLE, "--host", "ä..de")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"cannot listen on 127.0.0.1:{port}" in run(GOLDEN / "schema-1.zip", "--port", port)
