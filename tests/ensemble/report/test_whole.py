"""The report is written whole or not at all, and what is damaged costs no more than its own part."""

from __future__ import annotations

import json
import shutil
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from ensemble.core.console.console import make_console
from ensemble.core.errors import UserError
from ensemble.report import write
from ensemble.report.__main__ import main
from ensemble.report.facts.material import Material
from ensemble.report.publish import publish
from ensemble.report.render.blocks import Column, Section, Table, Text
from ensemble.report.write import write_sections
from ensemble.store.oof import OofStore
from tests.competitions import write_competition


@pytest.fixture
def store(mixed: OofStore, tmp_path: Path) -> OofStore:
    """A copy to damage."""
    shutil.copytree(mixed.root, tmp_path / "mixed")
    return OofStore(tmp_path / "mixed")


def test_a_section_that_cannot_be_rendered_costs_only_itself(tmp_path: Path) -> None:
    lacking = Table("lacking", "A column is missing", pd.DataFrame({"a": [1]}), (Column("b", "B", "score"),))
    sections = [Section("good", "Good", "", (Text(("All is well.",)),)), Section("bad", "Bad", "", (lacking,))]
    write_sections(tmp_path, "A report", "", sections, "signature")
    for name in ("report.html", "report.md"):
        said = (tmp_path / name).read_text()
        assert "All is well." in said
        assert "This part could not be made" in said


def test_markdown_bears_the_warning_before_any_number(tmp_path: Path) -> None:
    write_sections(tmp_path, "A report", "synthetic demo data", [Section("one", "One", "1", ())], "signature")
    assert (tmp_path / "report.md").read_text().startswith("# A report\n\n> Note: synthetic demo data.")


@pytest.mark.training
@pytest.mark.parametrize("name", ["robustness", "generators", "audit"])
@pytest.mark.parametrize("content", ["null", "{}", "[1, 2]", "{", '{"checks": null}'])
def test_damaged_results_leave_the_report_alone(real_report: Path, tmp_path: Path, name: str, content: str) -> None:
    """Of a store that has the results of all three: a table without its facts is not shown, and breaks no section."""
    store = OofStore(Path(shutil.copytree(real_report, tmp_path / "small")))
    (store.root / name / f"{name}.json").write_text(content)
    (store.root / "report.html").unlink()
    publish(store, make_console())
    page = (store.root / "report.html").read_text()
    assert "The answer" in page
    assert "This part could not be made" not in page


@pytest.mark.training
@pytest.mark.parametrize("key", ["members", "weights", "chosen", "measured_on"])
def test_a_manifest_that_lacks_something_is_no_blend(store: OofStore, key: str) -> None:
    path = store.blend_folder / "blend.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: 5}))
    publish(store, make_console())
    assert "There is no submission of these predictions yet" in (store.root / "report.md").read_text()


@pytest.mark.parametrize("name", ["folds.json", "data.json"])
@pytest.mark.parametrize("content", ["null", "[1, 2]", "{}", "[" * 100_000])
def test_a_damaged_store_is_reported_in_a_sentence(store: OofStore, name: str, content: str) -> None:
    (store.root / name).write_text(content)
    with pytest.raises(UserError) as caught:
        main(store.root)
    assert "\n" not in str(caught.value)


def test_another_competition_is_refused(store: OofStore, tmp_path: Path) -> None:
    other = write_competition(tmp_path / "other", train=24, test=4)
    with pytest.raises(UserError, match="was trained on"):
        main(store.root, data=other)


def test_writers_take_turns(material: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, most = [0], [0]

    def slow(*_: object) -> None:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        time.sleep(0.05)
        inside[0] -= 1

    monkeypatch.setattr(write, "is_signed", lambda *_: False)
    monkeypatch.setattr(write, "_write_report", slow)
    writers = [threading.Thread(target=write.write_report, args=(material,)) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert most == [1]
