"""The game: its pictures, and a whole game in a real browser, by keys alone."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from axe_core_python.sync_playwright import Axe
from PIL import Image, ImageFilter
from playwright.sync_api import Browser, Page, expect

from ensemble.core.errors import UserError
from ensemble.serve.game.pictures import pictures_of
from ensemble.store.oof import OofStore
from tests.browser import PHONE, SIZES, THEMES
from tests.commands import run_here
from tests.competitions import photograph as face
from tests.ensemble.serve.conftest import Server, serving


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures with a table."""
    found = tmp_path_factory.mktemp("game")
    with (found / "pictures.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["name", "target", "pred"])
        for number in range(12):
            fake = number % 3 == 0  # four of them
            Image.fromarray(face(number, fake=fake)).save(found / f"{number}.png")
            table.writerow([f"{number}.png", int(fake), 0.9 if fake else 0.2])
    return found


@pytest.fixture(scope="session")
def game(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("serve-game"), "--play", folder) as running:
        yield running


def test_a_folder_gives_as_many_of_each_kind(folder: Path) -> None:
    found = pictures_of(folder).pictures
    assert [picture.fake for picture in found].count(True) == 4
    assert len(found) == 8
    assert {picture.probability for picture in found} == {0.9, 0.2}


@pytest.mark.training
def test_a_store_gives_photographs_with_out_of_fold_answers(trained: OofStore, tmp_path: Path) -> None:
    store = OofStore(Path(shutil.copytree(trained.root, tmp_path / "small")))
    shutil.rmtree(store.blend_folder, ignore_errors=True)
    with pytest.raises(UserError, match="run ensemble blend"):
        pictures_of(store.root)
    assert run_here("blend", store.root, cwd=tmp_path).returncode == 0
    found = pictures_of(store.root)
    assert found.synthetic == store.facts()["synthetic"]
    assert found.unseen
    assert "out-of-fold" in found.source
    assert len({picture.content for picture in found.pictures}) == len(found.pictures) > 10
    assert all(picture.probability is not None and 0 <= picture.probability <= 1 for picture in found.pictures)
    oof = store.blend_folder / "oof.parquet"
    blend = pd.read_parquet(oof)
    blend["pred"] = 0.25 + blend["label"] / 2
    blend[blend["fold"] == 1].to_parquet(oof, index=False)  # no member has finished another fold
    fewer = pictures_of(store.root).pictures
    assert 0 < len(fewer) < len(found.pictures)
    assert all(picture.probability == (0.75 if picture.fake else 0.25) for picture in fewer)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("name,label\na.png,1\n", "only pictures of one kind"),
        ("name\na.png\n", "needs a column name and a column target"),
        ("name,target\na.png,fake\n", "row 2: target is 'fake'; write 1 for generated, 0 for real"),
        ("name,target\na.png,1\nb.png,0\n", "names b.png, which is not in"),
        ("name,target\na.png,1\n../out.png,0\n", "names ../out.png, which is not in"),
        ("name,target,pred\na.png,1,nan\n", "row 2: the probability of fake is 'nan'; write a number from 0 to 1"),
        ("name,target,pred\na.png,1,often\n", "row 2: the probability of fake is 'often'"),
    ],
)
def test_tables_that_cannot_be_played_are_refused(tmp_path: Path, table: str, words: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for path in (folder / "a.png", tmp_path / "out.png"):
        Image.fromarray(face(0, fake=True)).save(path)
    (folder / "t.csv").write_text(table)
    with pytest.raises(UserError, match=re.escape(words)):
        pictures_of(folder)


@pytest.mark.process
def test_nothing_that_is_sent_says_which_kind_a_picture_is(game: Server) -> None:
    first, second = (game.client.get("/v1/game", params={"pictures": 8}).json() for _ in range(2))
    assert sorted(first["pictures"]) == sorted(second["pictures"])
    assert first["most"] == 8
    orders, kinds = set(), set()
    for _ in range(20):
        asked = game.client.get("/v1/game", params={"pictures": 8}).json()["pictures"]
        truths = [game.client.get(f"/v1/game/pictures/{name}/truth").json()["fake"] for name in asked]
        assert sum(truths) == 4
        orders.add(tuple(asked))
        kinds.add(truths[0])
    assert len(orders) > 15
    assert kinds == {True, False}
    response = game.client.get(f"/v1/game/pictures/{first['pictures'][0]}")
    assert response.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(response.content)).info == {}
    assert game.client.get("/v1/game/pictures/nothing").status_code == 404


@pytest.mark.process
def test_scores_of_nonsense_are_refused(game: Server) -> None:
    def score(content: object) -> tuple[int, str]:
        response = game.client.post("/v1/game/score", content=content)  # type: ignore[arg-type]
        return response.status_code, response.json().get("error", "")

    assert score(b"nonsense")[0] == 400
    assert score(b'{"rounds": []}') == (400, "rounds: list should have at least 1 item after validation, not 0")
    assert score(bytes(2**18)) == (413, "this request may have at most 128 KiB")
    assert score(iter([bytes(2**16)] * 4))[0] == 413, "without a length, too"


@pytest.mark.process
def test_pictures_stand_upright_and_fit_a_screen(tmp_path: Path) -> None:
    """Photographs of phones lie on their side in the file; shown so, they would give themselves away."""
    rotated = Image.Exif()
    rotated[0x0112] = 6
    Image.new("RGB", (3_000, 1_500), "red").save(tmp_path / "phone.jpg", exif=rotated)
    Image.new("RGB", (64, 64), "blue").save(tmp_path / "small.png")
    (tmp_path / "table.csv").write_text("name,target\nphone.jpg,0\nsmall.png,1\n")
    with serving(tmp_path, "--play", tmp_path) as server:
        names = server.client.get("/v1/game").json()["pictures"]
        sizes = {Image.open(io.BytesIO(server.client.get(f"/v1/game/pictures/{name}").content)).size for name in names}
    assert sizes == {(512, 1_024), (64, 64)}


@pytest.mark.process
def test_a_residual_is_the_fine_structure_of_the_middle_enlarged(game: Server) -> None:
    name = game.client.get("/v1/game").json()["pictures"][0]
    shown, found = (
        np.asarray(Image.open(io.BytesIO(game.client.get(f"/v1/game/pictures/{name}{what}").content)))
        for what in ("", "/residual")
    )
    middle = Image.fromarray(shown[8:24, 8:24])
    fine = np.asarray(middle, np.float32) - np.asarray(middle.filter(ImageFilter.GaussianBlur(1)), np.float32)
    expected = np.clip(128 + 6 * fine, 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(found, expected.repeat(3, axis=0).repeat(3, axis=1))


@pytest.fixture
def page(browser: Browser, game: Server) -> Iterator[Page]:
    context = browser.new_context(accept_downloads=True)
    found, faults = context.new_page(), list[str]()
    found.on("console", lambda message: faults.append(message.text))
    found.on("pageerror", lambda error: faults.append(str(error)))
    found.on("request", lambda request: request.url.startswith((game.address, "blob:")) or faults.append(request.url))
    found.goto(game.address + "/play")
    expect(found.locator("#source")).not_to_be_empty()
    yield found
    assert faults == []
    context.close()


@pytest.mark.process
def test_a_game_is_played_by_keys_alone(page: Page, game: Server) -> None:
    kinds = ["real", "generated"]
    assert page.locator("[name=number]").count() == 0, "there are fewer pictures than ten"
    page.locator("#choose button").focus()
    page.keyboard.press("Enter")
    for number in range(1, 9):
        expect(page.locator("#count")).to_have_text(f"Picture {number} of 8")
        expect(page.locator("#truth")).to_be_hidden()
        expect(page.locator("#judge button")).to_be_enabled()
        page.keyboard.press("g" if number % 2 else "r")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        fake = game.client.get(_truth(page)).json()["fake"]
        right = "Right" if fake == bool(number % 2) else "Wrong"
        expect(page.locator("#was")).to_have_text(f"{right}: by the list of this server it is {kinds[fake]}.")
        expect(page.locator("#machine")).to_contain_text("The ensemble gave")
        page.keyboard.press("Enter")
    expect(page.locator("#result")).to_contain_text("of 8 right")
    expect(page.locator("#numbers tr")).to_have_count(6)
    expect(page.locator("#calibration tbody tr")).to_have_count(1)
    expect(page.locator("#seen li")).to_have_count(8)
    with page.expect_download() as download:
        page.locator("#save").click()
    content = json.loads(Path(download.value.path()).read_text())
    assert content["score"]["ensemble"]["value"] == 1.0
    assert [each["sure"] for each in content["rounds"]] == [0.71] * 8
    page.locator("#again").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#start h1")).to_be_focused()


@pytest.mark.process
def test_nobody_is_asked_about_a_picture_that_is_not_there(browser: Browser, game: Server) -> None:
    page = browser.new_page()
    page.route(re.compile(r"/pictures/[0-9a-f]+$"), lambda route: route.fulfill(status=429, json={"error": "x"}))
    page.goto(game.address + "/play")
    page.locator("#choose button").click()
    expect(page.get_by_role("alert")).to_contain_text("could not be loaded")
    expect(page.locator("#judge button")).to_be_disabled()
    expect(page.locator("#judge button")).to_be_enabled()  # asked for again, at an address of its own
    expect(page.locator("#error")).to_be_empty()
    page.close()


def _truth(page: Page) -> str:
    expect(page.locator("#truth")).to_be_visible()
    return f"{page.locator('#picture').get_attribute('src')}/truth"


@pytest.mark.process
@SIZES
@THEMES
def test_the_game_can_be_read_by_everybody(page: Page, size: tuple[int, int], dark: bool) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(color_scheme="dark" if dark else "light")

    def look() -> None:
        found = Axe().run(page)
        assert [rule["id"] for rule in found["violations"] if rule["impact"] in ("serious", "critical")] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]

    look()
    page.locator("#choose button").click()
    expect(page.locator("#picture")).to_be_visible()
    look()
    if size == PHONE:
        assert page.locator("#judge button").bounding_box()["y"] < 1.3 * size[1], "little is scrolled"  # type: ignore[index]
    page.locator("[name=kind]").first.check()
    page.locator("#judge button").click()
    page.locator("#lesson summary").click()
    expect(page.locator("#lesson svg")).to_be_visible()
    look()
    for _ in range(7):
        page.locator("#next").click()
        page.locator("[name=kind]").first.check()
        page.locator("#judge button").click()
    page.locator("#next").click()
    expect(page.locator("#result")).to_be_visible()
    look()


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("name,target\né.png,1\n".encode("cp1252"), "save it as CSV in UTF-8"),
        (b'name,target\n"' + b"x" * 200_000, "save it as CSV in UTF-8"),
        (b"target,name\n1\n", "row 2: the name is empty"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused(tmp_path: Path, table: bytes, words: str) -> None:
    (tmp_path / "pictures.csv").write_bytes(table)
    with pytest.raises(UserError, match=words):
        pictures_of(tmp_path)


def test_a_damaged_blend_is_refused(trained: OofStore, tmp_path: Path) -> None:
    store = OofStore(Path(shutil.copytree(trained.root, tmp_path / "small")))
    store.blend_folder.mkdir(exist_ok=True)
    (store.blend_folder / "oof.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match="no blend that can be read"):
        pictures_of(store.root)


def test_a_picture_that_cannot_be_shown_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no photograph")
    Image.new("RGB", (32, 32)).save(tmp_path / "b.png")
    (tmp_path / "t.csv").write_text("name,target\na.jpg,1\nb.png,0\n")
    with pytest.raises(UserError, match=r"a\.jpg, which cannot be shown: no photograph"):
        pictures_of(tmp_path)
    half = np.full((32, 32, 4), 200, np.uint8)
    half[:16, :, 3] = 0
    Image.fromarray(half).save(tmp_path / "a.jpg", "PNG")
    with pytest.raises(UserError, match="which cannot be shown: partly transparent"):
        pictures_of(tmp_path)
