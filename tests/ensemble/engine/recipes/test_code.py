from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.core.errors import UserError
from ensemble.core.storage.hashing import digest, digest_of_chunks, file_sha256
from ensemble.engine.recipes.code import code_version, code_versions, recipe_code
from tests import ROOT


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "plugged"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "model.py").write_text(
        "from plugged.helper import help\nfrom . import other\nimport json\nclass Model: pass\n"
    )
    for name in ("helper", "other", "unrelated"):
        (folder / f"{name}.py").write_text("def help(): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "plugged"]:
        monkeypatch.delitem(sys.modules, name)
    return folder


@pytest.mark.parametrize(
    ("file", "changes"), [("model", True), ("helper", True), ("other", True), ("unrelated", False)]
)
def test_only_what_a_member_imports_is_its_code(package: Path, file: str, changes: bool) -> None:
    before = code_version("plugged.model.Model")
    (package / f"{file}.py").write_text("# changed\n" + (package / f"{file}.py").read_text())
    assert (code_version("plugged.model.Model") != before) == changes


def test_a_module_beside_it_is_its_code_too(package: Path) -> None:
    (package.parent / "beside.py").write_text("one = 1\n")
    (package / "model.py").write_text("import beside\nclass Model: pass\n")
    before = code_version("plugged.model.Model")
    (package.parent / "beside.py").write_text("one = 2\n")
    assert code_version("plugged.model.Model") != before


def test_a_module_that_is_not_there_is_a_sentence() -> None:
    with pytest.raises(UserError, match="no module 'nowhere'"):
        code_version("nowhere.Model")


def test_a_library_is_known_by_its_version() -> None:
    import lightgbm

    assert code_version("lightgbm.LGBMClassifier") == f"lightgbm=={lightgbm.__version__}"


@pytest.mark.process
@pytest.mark.parametrize("way", ["path", "pth", "user"])
def test_a_library_is_known_wherever_it_was_installed(tmp_path: Path, way: str) -> None:
    """As `pip --user`, `--system-site-packages` or a .pth file have it: not in the environment's own folder."""
    library = tmp_path / "elsewhere"
    (library / "borrowed").mkdir(parents=True)
    (library / "borrowed" / "__init__.py").write_text("class Model: pass\n")
    facts = library / "borrowed_things-1.2.3.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: borrowed-things\nVersion: 1.2.3\n")
    (facts / "RECORD").write_text("borrowed/__init__.py,,\n")
    (tmp_path / "pth").mkdir()
    (tmp_path / "pth" / "borrowed.pth").write_text(f"{library}\n")
    add = {
        "path": f"import sys; sys.path.append({str(library)!r})",
        "pth": f"import site; site.addsitedir({str(tmp_path / 'pth')!r})",
        "user": "import sys",
    }[way]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{library}" if way == "user" else str(ROOT)}
    code = f"{add}; from ensemble.engine.recipes.code import code_version; print(code_version('borrowed.Model'))"
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "borrowed-things==1.2.3"


@pytest.mark.process
def test_code_in_a_folder_called_like_a_library_is_not_that_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lightgbm.py").write_text("class LGBMClassifier: pass\n")
    code = "from ensemble.engine.recipes.code import code_version; print(code_version('lightgbm.LGBMClassifier'))"
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.startswith("lightgbm:")


def test_a_module_that_looks_at_main_is_read_too(package: Path) -> None:
    (package / "model.py").write_text("import __main__\nfrom plugged.helper import help\nclass Model: pass\n")
    assert code_version("plugged.model.Model").startswith("plugged:")


@pytest.mark.process
def test_every_source_of_the_framework_is_its_code(tmp_path: Path) -> None:
    """In a copy, so that a file may change: wherever it lies and whatever it is called, the hash says so."""
    shutil.copytree(ROOT / "ensemble", tmp_path / "ensemble", ignore=shutil.ignore_patterns("__pycache__"))
    script = "from ensemble.engine.recipes.code import framework_code; print(framework_code())"

    def code() -> str:
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        return subprocess.run(
            [sys.executable, "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout

    found = {code(), code()}
    assert len(found) == 1
    for file in ("report/render/page.js", "audit/run.py", "core/errors.py"):
        (tmp_path / "ensemble" / file).open("a").write("\n")
        found.add(code())
    assert len(found) == 4


def test_the_order_of_keys_does_not_matter() -> None:
    assert digest({"a": 1, "b": [2, 3]}) == digest({"b": [2, 3], "a": 1}) != digest({"a": 1, "b": [3, 2]})


@given(st.lists(st.lists(st.tuples(st.text(), st.integers()), min_size=1)), st.integers())
def test_a_digest_made_chunk_by_chunk_is_that_of_the_whole(chunks: list[list[tuple[str, int]]], rest: int) -> None:
    assert digest_of_chunks(chunks, rest, "an end") == digest(
        [[row for chunk in chunks for row in chunk], rest, "an end"]
    )


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("members.cnn.ImageClassifier", "members:d1d7431a3afe2126"),
        ("members.embedding.FrozenEmbedding", "members:5915ffa84b3c0179"),
        ("members.forensics.ForensicFeatures", "members:bf8386290c20014a"),
        ("members.seeds.SeedAverage", "members:a5713b717b32c84c"),
    ],
)
def test_code_versions_stay_while_members_compute_the_same(path: str, code: str) -> None:
    """As stores have noted it, the forensic one since 0.1.0; change a line only when the member computes otherwise."""
    assert code_version(path) == code


def test_every_edited_source_is_one_of_today() -> None:
    sources = {file_sha256(path) for path in (ROOT / "members").rglob("*.py")}
    edited = json.loads((ROOT / "ensemble" / "engine" / "recipes" / "reworded.json").read_text())
    assert not edited.keys() - sources, "make the list again: these sources are no longer there"


def test_a_file_beside_it_that_does_not_parse_counts_by_its_bytes(package: Path) -> None:
    (package / "sub").mkdir()
    (package / "sub" / "__init__.py").write_text("")
    (package / "sub" / "member.py").write_text("class Mine: pass\n")
    seen = {code_version("plugged.sub.member.Mine")}
    for number, content in enumerate((b'print "python 2"\n', b"x = 1\x00\n", b"class Unfinished(\n"), start=2):
        (package / "sub" / "draft.py").write_bytes(content)
        (package / "sub" / "member.py").write_text("from plugged import sub\nclass Mine: pass\n")
        seen.add(code_version("plugged.sub.member.Mine"))
        assert len(seen) == number, "its bytes count where the package is imported"


def test_folders_without_init_are_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plain" / "deeper").mkdir(parents=True)
    (tmp_path / "plain" / "helper.py").write_text("one = 1\n")
    (tmp_path / "plain" / "deeper" / "member.py").write_text("from plain import helper\nclass Mine: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = code_version("plain.deeper.member.Mine")
    (tmp_path / "plain" / "helper.py").write_text("one = 2\n")
    assert code_version("plain.deeper.member.Mine") != before


def test_a_relative_import_of_a_module_beside_the_config_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A common idiom for files that are a package's or a script's."""
    (tmp_path / "odd_module.py").write_text(
        "try:\n    from .util import f\nexcept ImportError:\n    f = 1\nclass Model:\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert code_version("odd_module.Model")


def test_weights_in_the_home_count_by_their_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    recipe = {"use": "sklearn.dummy.DummyClassifier", "weights": "~/w.bin"}
    (tmp_path / "w.bin").write_bytes(b"1")
    before = recipe_code(recipe)
    (tmp_path / "w.bin").write_bytes(b"2")
    assert recipe_code(recipe) != before


def test_code_counts_though_its_path_stands_twice() -> None:
    name = "members.ridge.CalibratedRidge"
    assert name in code_versions({"use": name, "title": name})
