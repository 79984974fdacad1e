from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.errors import UserError
from ensemble.provenance import code_version, digest, digest_of_chunks, distributions_by_module


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


def test_modules_belong_to_the_distributions_that_python_names() -> None:
    ours, theirs = distributions_by_module(), importlib.metadata.packages_distributions()
    names = {module: {distribution.metadata["Name"] for distribution in ours[module]} for module in theirs}
    assert names == {module: set(distributions) for module, distributions in theirs.items()}
    assert "sklearn" in ours  # Python 3.10 knows only of those that declare their modules


def test_the_order_of_keys_does_not_matter() -> None:
    assert digest({"a": 1, "b": [2, 3]}) == digest({"b": [2, 3], "a": 1}) != digest({"a": 1, "b": [3, 2]})


@given(st.lists(st.lists(st.tuples(st.text(), st.integers()), min_size=1)), st.integers())
def test_a_digest_made_chunk_by_chunk_is_that_of_the_whole(chunks: list[list[tuple[str, int]]], rest: int) -> None:
    assert digest_of_chunks(chunks, rest, "an end") == digest(
        [[row for chunk in chunks for row in chunk], rest, "an end"]
    )
