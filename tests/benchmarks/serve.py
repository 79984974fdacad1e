"""The server under load, from a second process: photographs a second, latency, a killed worker, memory.

`make bench NAME=serve`, a quarter of an hour on two cores. It trains two networks of `configs/cpu.yaml` on a synthetic
competition. The rival is the same bundle called by `Bundle.predict` in one process, with the same threads.
"""

from __future__ import annotations

import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
import psutil

from ensemble.predict.predictor import load_bundle
from tests.benchmarks.predict import CORES, bundle_of, print_report, run

CLIENTS, REQUESTS, MANY = (1, 8, 32), 192, 10_000
GOALS = {
    "share_of_batched": (0.9, ">="),
    "errors": (0, "<="),
    "wrong_after_kill": (0, "<="),
    "memory_growth": (1.1, "<="),
}


@contextmanager
def serving(bundle: Path, *options: object) -> Iterator[tuple[psutil.Process, str]]:
    """Start a server, and yield its process and its address once it answers."""
    with tempfile.NamedTemporaryFile("w+") as log:
        command = [sys.executable, "-m", "ensemble", "serve", bundle, "--port", 0, "--max-per-minute", 10**9, *options]
        process = psutil.Popen(list(map(str, command)), stderr=log)
        try:
            while not (found := re.search(r"http://[\w.:]+", Path(log.name).read_text())):
                time.sleep(0.1)
            assert httpx.get(f"{found[0]}/v1/health", timeout=60).status_code == 200
            yield process, found[0]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def workers_of(process: psutil.Process) -> list[psutil.Process]:
    """Return the processes of a server that answer."""
    return [child for child in process.children() if "spawn_main" in " ".join(child.cmdline())]


def load(
    address: str, contents: Sequence[bytes], clients: int, retries: int = 0
) -> tuple[list[Any], list[float], float]:
    """Send photographs, each client one after the other; return responses or errors, seconds of each, and of all."""
    local = threading.local()

    def ask(content: bytes) -> tuple[Any, float]:
        client = getattr(local, "client", None) or httpx.Client(timeout=120)
        local.client, begun, answer = client, time.perf_counter(), None
        for _ in range(retries + 1):
            try:
                answer = client.post(f"{address}/v1/check", content=content)
                if answer.status_code != 503:
                    break
            except httpx.TransportError as error:
                answer = error
            time.sleep(0.05 * bool(retries))
        return answer, time.perf_counter() - begun

    begun = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        found = list(pool.map(ask, contents))
    return [answer for answer, _ in found], [seconds for _, seconds in found], time.perf_counter() - begun


def is_answer(answer: Any) -> bool:
    return isinstance(answer, httpx.Response) and answer.status_code == 200


def probability(answer: httpx.Response) -> float:
    return float(answer.json()["results"][0]["probability"])


def throughput(bundle: Path, contents: Sequence[bytes]) -> dict[str, float]:
    """Photographs a second of the batched model and of the server, and latencies."""
    loaded, files = load_bundle(bundle, CORES), dict[str, float]()
    loaded.predict(contents[:16])
    batched = []
    for _ in range(2):
        begun = time.perf_counter()
        loaded.predict(contents)
        batched.append(len(contents) / (time.perf_counter() - begun))
    files["batched"] = max(batched)
    del loaded
    errors = 0
    with serving(bundle) as (_, address):
        load(address, contents[:16], 4)
        for clients in CLIENTS:
            some = contents[: len(contents) if clients > 1 else len(contents) // 4]
            answers, seconds, total = load(address, some, clients)
            errors += sum(not is_answer(answer) for answer in answers)
            files[f"photographs_per_second_{clients}"] = len(some) / total
            files[f"p50_ms_{clients}"], files[f"p95_ms_{clients}"] = 1000 * np.percentile(seconds, [50, 95])
    best = max(files[f"photographs_per_second_{clients}"] for clients in CLIENTS)
    return {**files, "share_of_batched": best / files["batched"], "errors": errors}


def killed_worker(bundle: Path, contents: Sequence[bytes]) -> dict[str, float]:
    """Kill a worker under load: answers are right or are 503 or a broken connection, which a retry mends."""
    expected = [answer.probability for answer in load_bundle(bundle).predict(contents)]
    with serving(bundle, "--workers", 2) as (process, address), ThreadPoolExecutor(1) as pool:
        loading = pool.submit(load, address, list(contents) * 20, 8, 20)
        time.sleep(1.5)
        workers_of(process)[0].kill()
        answers, _, _ = loading.result()
        kinds = Counter("answered" if is_answer(answer) else "lost" for answer in answers)
        wrong = sum(
            abs(probability(answer) - expected[number % len(expected)]) > 1e-5
            for number, answer in enumerate(answers)
            if is_answer(answer)
        )
    return {"wrong_after_kill": wrong, "lost_after_kill": kinds["lost"]}


def memory(bundle: Path, contents: Sequence[bytes]) -> dict[str, float]:
    """Memory of the server after a fifth of many requests, and after all."""
    with serving(bundle) as (process, address):
        (worker,) = workers_of(process)
        sizes = []
        for _ in range(5):
            answers, _, _ = load(address, [contents[n % len(contents)] for n in range(MANY // 5)], 8)
            assert all(map(is_answer, answers))
            sizes.append(worker.memory_info().rss / 2**20)
    return {"mib_after_2000": sizes[0], "mib_after_10000": sizes[-1], "memory_growth": sizes[-1] / sizes[0]}


def main() -> None:
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run("demo", folder / "data", "--train", 240, "--test", 200)
        shutil.unpack_archive(folder / "data" / "data256faces.tar.gz", folder / "photographs", filter="data")
        contents = [path.read_bytes() for path in sorted((folder / "photographs").rglob("test/*.*"))]
        figures |= throughput(bundle_of(folder, "lite1_at_384,lite2_at_512"), contents[:REQUESTS])
        cheap = bundle_of(folder, "boosted_forensics")
        figures |= killed_worker(cheap, contents[:32])
        figures |= memory(cheap, contents)
    print_report(figures, GOALS)


if __name__ == "__main__":
    main()
