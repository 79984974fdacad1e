"""The same application on Ray Serve."""

from __future__ import annotations

from pathlib import Path

import pytest

from ensemble.predict.predictor import load_bundle
from tests.ensemble.serve.conftest import BUNDLE, photograph, serving

pytestmark = [pytest.mark.process, pytest.mark.ray, pytest.mark.slow]


def test_replicas_answer_as_the_bundle_does(tmp_path: Path) -> None:
    contents = [photograph(seed, load_bundle(BUNDLE).manifest.size[0]) for seed in range(8)]
    expected = [answer.probability for answer in load_bundle(BUNDLE).predict(contents)]
    with serving(tmp_path, "--engine", "ray", "--workers", 2, "--threads", 1, ENSEMBLE_API_KEY="a secret") as server:
        assert server.check(contents[0]).status_code == 401
        server.client.headers["x-api-key"] = "a secret"
        answers = [server.check(content) for content in contents]
        assert [answer.status_code for answer in answers] == [200] * len(contents)
        found = [answer.json()["results"][0]["probability"] for answer in answers]
        assert found == pytest.approx(expected, abs=1e-6)
        assert "default-src 'none'" in server.client.get("/").headers["content-security-policy"]
        assert server.client.get("/v1/health", headers={"host": "evil.example"}).status_code == 403
    assert server.process.returncode == 0
