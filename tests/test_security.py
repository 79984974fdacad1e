"""Nothing in this code runs what it reads: no pickle, no `eval`, no shell, no YAML that builds objects."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests import ROOT

# Of flake8-bandit: what executes or unpickles what it is given.
_RULES = "S102,S301,S302,S307,S403,S506,S602,S604,S605,S609,S701"
_RUFF = [sys.executable, "-m", "ruff", "check", "--isolated", "--ignore-noqa", "--quiet", "--select", _RULES]
_OURS = ("ensemble", "members")
_BEYOND_RUFF = re.compile(r"allow_pickle=True|torch\.load\((?!.*weights_only=True)|trust_remote_code=True|verify=False")
_SAFE = "return yaml.load(text, Loader=_Loader)"  # a SafeLoader, as the next test shows


def _found(*arguments: str, code: str = "") -> list[str]:
    command = [*_RUFF, "--output-format", "concise", *arguments]
    found = subprocess.run(command, input=code, cwd=ROOT, capture_output=True, text=True, check=False)
    assert not found.stderr, found.stderr
    return [line for line in found.stdout.splitlines() if re.match(r".+:\d+:\d+:", line)]


def test_no_code_of_others_is_run() -> None:
    found = _found(*_OURS)
    assert [line.partition(":")[0] for line in found] == ["ensemble/core/yaml.py"], found
    assert _SAFE in (ROOT / "ensemble/core/yaml.py").read_text()


def test_no_library_is_allowed_to() -> None:
    texts = {path: path.read_text() for name in _OURS for path in (ROOT / name).rglob("*.py")}
    assert not [str(path) for path, text in texts.items() if _BEYOND_RUFF.search(text)]


@pytest.mark.parametrize(
    "code",
    [
        "import pickle\npickle.loads(a)",
        "eval(a)",
        "exec(a)",
        "import marshal\nmarshal.loads(a)",
        "import yaml\nyaml.load(a, Loader=yaml.Loader)",
        "import subprocess\nsubprocess.run(a, shell=True)",
        "import os\nos.system(a)",
        "import jinja2\njinja2.Environment(autoescape=False)",
        "import shelve\nshelve.open(a)",
    ],
)
def test_the_search_would_find_it(code: str) -> None:
    assert _found("-", code=code)


def test_yaml_builds_plain_values_only() -> None:
    from ensemble.core.yaml import load_yaml

    for text in ("!!python/object/apply:os.system [ls]", "!!python/name:os.system", "!ours {a: 1}"):
        with pytest.raises(ValueError, match="unknown"):
            load_yaml(text)
