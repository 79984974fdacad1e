"""The documentation: its length, its links, its words, and that the commands in it exist."""

from __future__ import annotations

import functools
import importlib
import os
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from docs.reference import PAGES as SITE
from docs.reference import configuration, on_page_markdown, settings, verbs
from ensemble.cli import make_app
from ensemble.config.experiment import Experiment
from tests import ROOT
from tests.documents import PAGES, SHELL, prose

LINK = re.compile(r"\]\(([^)\s]+)\)")
OWN_PROGRAMS = ("ensemble", "python", "make", "ray")
OTHER_PROGRAMS = {".", "cd", "curl", "docker", "export", "git", "kubectl", "pip", "ssh"}


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().split()) <= 1000
    assert (ROOT / "docs" / "images" / "report.png").stat().st_size < 300_000


def test_links_lead_somewhere() -> None:
    dead = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in PAGES
        for link in LINK.findall(prose(page))
        if not link.startswith("https://") and not _exists(page, link)
    ]
    assert not dead


def _exists(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists() or not anchor:
        return target.exists()
    if re.match(r"(ensemble|members)\.", anchor):  # what mkdocstrings writes into the page
        module, _, name = anchor.rpartition(".")
        return hasattr(importlib.import_module(module), name) and f"::: {anchor}\n" in target.read_text()
    headings = re.findall(r"^#+ (.*)$", on_page_markdown(target.read_text()), re.MULTILINE)
    return anchor in {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_every_page_that_is_included_is_on_the_site() -> None:
    included = {path: name for path, name in SITE.items() if name != "index.md" and path != f"docs/{name}"}
    stubs = {path: (ROOT / "docs" / name).read_text() for path, name in included.items()}
    assert not [path for path, stub in stubs.items() if f"(../{path})" not in stub]


def test_files_that_are_named_exist() -> None:
    """Written as `ensemble/store/oof.py`, or in CONTRIBUTING, which is about `ensemble/`, as `store/oof`."""
    named = {(page, name) for page in PAGES for name in re.findall(r"`([a-z_/]+/[\w./]*)`", prose(page))}
    full = [(page, name) for page, name in named if re.match(r"(ensemble|members|tests|configs|docs)/", name)]
    assert len(full) > 20
    assert not [(page.name, name) for page, name in full if not (ROOT / name).exists()]
    short = [name for page, name in named - set(full) if page.name == "CONTRIBUTING.md"]
    assert len(short) > 10
    assert not [name for name in short if not any((ROOT / "ensemble" / f"{name}{end}").exists() for end in ("", ".py"))]


def test_plain_words() -> None:
    odd = re.compile(r"\b(told|tells?|heard|spoken|lest|whoever|anew)\b")
    pages = [page for page in PAGES if page.is_relative_to(ROOT / "docs") or page.parent == ROOT]
    assert not [f"{page.name}: {match[0]}" for page in pages for match in odd.finditer(page.read_text())]


def test_every_key_of_a_config_has_its_meaning() -> None:
    parts = list(settings(Experiment))
    assert {place for place, _ in parts} >= {"", "data", "folds", "members[]", "members[].resources", "blend", "report"}
    silent = [f"{place}.{key}" for place, part in parts for key, f in part.model_fields.items() if not f.description]
    assert not silent
    page = configuration()
    assert all(f"| `{key}` |" in page for _, part in parts for key in part.model_fields)
    defaults = {row.split(" | ")[0][2:]: row.split(" | ")[2] for row in page.splitlines() if row.startswith("| `")}
    assert (defaults["`members`"], defaults["`tune`"], defaults["`custom`"]) == ("none", "none", "none")
    assert (defaults["`methods`"], defaults["`name`"], defaults["`n_folds`"]) == ("see the meaning", "required", "`5`")


def test_every_verb_is_on_the_page_of_commands() -> None:
    page = on_page_markdown((ROOT / "docs" / "commands.md").read_text())
    for verb, command in verbs():
        _, title, rest = page.partition(f"## ensemble {verb}\n")
        assert title, verb
        part = rest.partition("\n## ")[0]
        options = [each for each in command.params if each.param_type_name == "option"]
        assert not [name for option in options for name in option.opts if name not in part], verb
    assert {verb for verb, _ in verbs()} >= {
        "bundle",
        "train",
        "blend",
        "blend import",
        "folds export",
        "report",
        "audit",
    }


@pytest.mark.parametrize(
    "words", [w for block in SHELL for w in block.commands if w[0] not in OTHER_PROGRAMS], ids=" ".join
)
def test_commands_exist(words: list[str]) -> None:
    """Verbs, options and files; `python -m` of a module of ours; targets of make; what a job runs on Ray."""
    assert words[0] in OWN_PROGRAMS
    assert all((ROOT / word).exists() for word in words if word.startswith("configs/"))
    if words[0] == "make":
        parse_make(words)
    elif words[0] == "ray":
        parse_ray(words)
    else:
        parse_ensemble(words)


def test_a_wrong_command_is_found() -> None:
    """Else the test above would show nothing."""
    wrong = (
        "ensemble trian x.yaml",
        "ensemble train x.yaml --enigne ray",
        "ensemble blend imprt a b",
        "ensemble train",
    )
    for line in (*wrong, "python -m ensemble.blend --rebild x", "python -m ensemble.trian x.yaml"):
        with pytest.raises((SystemExit, AssertionError)):
            parse_ensemble(line.split())


def parse_ensemble(words: list[str]) -> None:
    """Parse `ensemble ...`, `python -m ensemble ...` or `python -m ensemble.VERB ...`, and do not run it."""
    if words[0] == "python":
        assert words[1] == "-m"
        package, _, verb = words[2].partition(".")
        assert package == "ensemble"
        assert not verb or find_spec(words[2]) is not None
        words = ["ensemble", *([verb] if verb else []), *words[3:]]
    parse(_top(), words[1:])


@functools.cache
def _top() -> Any:
    return typer.main.get_command(make_app())


def parse(command: Any, words: list[str]) -> dict[str, Any]:
    """Parse the options of a command, and those of the verbs below it; `--help` ends it as it does for users."""
    try:
        context = command.make_context(command.name, list(words))
    except Exception as error:
        if getattr(error, "exit_code", 1) == 0:  # --help or --version
            return {}
        raise AssertionError(f"{' '.join(words)}: {error}") from None
    rest = [*getattr(context, "_protected_args", []), *context.args]
    if not getattr(command, "commands", {}):
        return dict(context.params)
    assert rest[0] in command.commands, f"no verb {rest[0]}"
    return parse(command.commands[rest[0]], rest[1:])


def parse_make(words: list[str]) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {word for word in words[1:] if "=" not in word} <= targets


def parse_ray(words: list[str]) -> None:
    from ray.scripts.scripts import cli

    entrypoint = words[words.index("--") + 1 :] if "--" in words else []
    if "-".join(words[1:3]) != "get-auth-token":
        parse(cli, words[1:])
    if entrypoint:
        parse_ensemble(entrypoint)


def test_files_that_kubectl_and_docker_are_given_exist() -> None:
    lines = [" ".join(words) for block in SHELL for words in block.commands if words[0] in ("kubectl", "docker")]
    files = [path for line in lines for path in re.findall(r"-f (configs/\S+)", line)]
    assert len(files) >= 2
    assert all((ROOT / path).exists() for path in files)


@pytest.mark.process
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    if find_spec("mkdocs") is None and "CI" not in os.environ:
        pytest.skip("needs the extra docs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert result.returncode == 0, result.stderr
    assert "num_cpus" in (tmp_path / "configuration" / "index.html").read_text()


def test_the_version_is_the_same_everywhere() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    released = re.search(r"^## \[(\d.*?)\] - (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert released is not None
    assert (version, str(citation["date-released"])) == (released[1], released[2])
    assert citation["version"] == version
