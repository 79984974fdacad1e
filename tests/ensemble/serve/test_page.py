"""The page for checking photographs, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from axe_core_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from ensemble.predict.predictor import load_bundle
from tests.browser import DESK, PHONE, SIZES, THEMES
from tests.competitions import photograph as face
from tests.ensemble.serve.conftest import BUNDLE, Server, serving

pytestmark = pytest.mark.process
Opener = Callable[..., "Opened"]


@dataclass
class Opened:
    """An opened page, and what it did that it should not."""

    page: Page
    faults: list[str] = field(default_factory=list)

    def give(self, *photographs: Path) -> None:
        """Choose photographs, and wait for the answers."""
        before = self.page.locator(".answer").count()
        self.page.set_input_files("#files", list(photographs))
        expect(self.page.locator(".answer")).to_have_count(before + len(photographs), timeout=30_000)


@pytest.fixture
def open_page(browser: Browser, server: Server) -> Iterator[Opener]:
    contexts, opened = [], []

    def open_at(path: str = "/", size: tuple[int, int] = DESK, dark: bool = False) -> Opened:
        scheme = "dark" if dark else "light"
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, accept_downloads=True
        )
        contexts.append(context)
        found = Opened(context.new_page())
        opened.append(found)
        found.page.on("console", lambda message: found.faults.append(message.text))
        found.page.on("pageerror", lambda error: found.faults.append(str(error)))
        found.page.on("filechooser", lambda _: None)  # else, on a busy machine, they are watched too late
        ours = (server.address, "blob:", "data:")
        found.page.on("request", lambda request: request.url.startswith(ours) or found.faults.append(request.url))
        found.page.goto(server.address + path)
        expect(found.page.locator("#tested tbody tr")).not_to_have_count(0)
        return found

    yield open_at
    for each in opened:
        assert each.faults == [], "nothing on the console, and nothing asked for elsewhere"
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A real and a generated one, whose answers are known to the golden bundle."""
    folder = tmp_path_factory.mktemp("photographs")
    paths = [folder / "real.png", folder / "fake.png"]
    for number, path in enumerate(paths):
        Image.fromarray(face(900 + number, fake=number == 1)).save(path)
    return paths


def test_a_photograph_is_answered_with_all_that_belongs_to_it(open_page: Opener, photographs: list[Path]) -> None:
    opened = open_page()
    opened.give(photographs[1])
    answer, (expected,) = opened.page.locator(".answer"), load_bundle(BUNDLE).predict([photographs[1]])
    expect(answer.locator(".verdict")).to_have_text(expected.verdict)
    expect(answer.locator(".members tbody tr")).to_have_count(3)
    expect(answer.locator("figcaption")).to_contain_text("fake.png (32")
    expect(answer.locator(".hash")).to_contain_text("SHA-256")
    expect(answer.locator(".spectrum svg")).to_have_count(1)
    expect(answer.locator(".provenance")).to_contain_text("no signed manifest")
    assert not answer.locator(".spectrum").evaluate("details => details.open")
    assert "is real" not in opened.page.content().lower()


def test_the_slider_moves_the_probability_and_not_the_verdict(open_page: Opener, photographs: list[Path]) -> None:
    opened = open_page()
    opened.give(photographs[1])
    slider, words = opened.page.locator(".prior input"), opened.page.locator(".probability")
    verdict = opened.page.locator(".verdict").text_content()
    expect(opened.page.locator(".prior .share")).to_have_text("10 in a thousand")
    few = words.text_content()
    slider.focus()
    opened.page.keyboard.press("End")
    expect(opened.page.locator(".prior .share")).to_have_text("999 in a thousand")
    assert words.text_content() != few
    assert opened.page.locator(".verdict").text_content() == verdict
    assert slider.get_attribute("aria-valuetext") == "999 in a thousand"


def test_many_photographs_are_answered_and_one_that_is_none_says_why(
    open_page: Opener, photographs: list[Path], tmp_path: Path
) -> None:
    text = tmp_path / "text.png"
    text.write_text("no photograph")
    opened = open_page()
    opened.give(*photographs, text)
    expect(opened.page.locator("#status")).to_contain_text("Answered: 3 photographs; ")
    expect(opened.page.locator("#status")).to_contain_text("1 “cannot say”")
    names = opened.page.locator(".answer figcaption").all_text_contents()
    assert [name.partition(" ")[0] for name in names] == ["real.png", "fake.png", "text.png"]
    button = opened.page.get_by_role("button", name="Save as JSON (fake.png)")
    expect(button).to_have_count(1)
    last = opened.page.locator(".answer.cannot").last
    expect(last.locator(".reason")).to_contain_text("can be read")
    expect(last.locator(".prior")).to_have_count(0)


def test_an_error_is_said_where_screen_readers_hear_it(open_page: Opener, tmp_path: Path) -> None:
    text = tmp_path / "text.png"
    text.write_text("no photograph")
    opened = open_page()
    opened.page.set_input_files("#files", text)
    expect(opened.page.get_by_role("alert")).to_contain_text("can be read")
    opened.faults = [fault for fault in opened.faults if "422" not in fault]  # the browser logs the status itself


def test_a_busy_server_is_asked_again(open_page: Opener, photographs: list[Path]) -> None:
    opened, asked = open_page(), []

    def busy(route: Route) -> None:
        asked.append(route)
        if len(asked) > 1:
            route.continue_()
        else:
            route.fulfill(status=503, headers={"Retry-After": "1"}, json={"error": "too much is waiting"})

    opened.page.route("**/v1/check*", busy)
    opened.page.set_input_files("#files", photographs[0])
    expect(opened.page.locator("#status")).to_have_text("The server has much to do: asking again in 1 s …")
    expect(opened.page.locator(".answer")).to_have_count(1)
    expect(opened.page.locator("#error")).to_be_empty()
    opened.faults = [fault for fault in opened.faults if "503" not in fault]


def test_what_had_no_answer_can_be_asked_again(open_page: Opener, photographs: list[Path]) -> None:
    opened = open_page()
    opened.page.route("**/v1/check*", lambda route: route.abort())
    opened.page.set_input_files("#files", photographs)
    expect(opened.page.get_by_role("alert")).to_contain_text("The server cannot be reached")
    opened.page.unroute("**/v1/check*")
    opened.page.get_by_role("button", name="Ask again about 2 photographs").click()
    expect(opened.page.locator(".answer")).to_have_count(2)
    expect(opened.page.locator("#error")).to_be_empty()
    expect(opened.page.locator("#again")).to_be_hidden()
    opened.faults = [fault for fault in opened.faults if "ERR_FAILED" not in fault]


def test_every_refused_file_is_named_and_the_others_are_answered(
    open_page: Opener, photographs: list[Path], tmp_path: Path
) -> None:
    opened = open_page()
    opened.page.evaluate(
        """bytes => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "good.png", {type: "image/png"}));
            for (const name of ["one.png", "two.png"]) data.items.add(new File(["x"], name));
            const event = new DragEvent("drop", {bubbles: true, cancelable: true});
            const files = [...data.files];
            const gone = () => ({ arrayBuffer: () => Promise.reject(new Error("gone")) });
            for (const file of files.slice(1)) file.slice = gone;
            Object.defineProperty(event, "dataTransfer", {value: { files }});
            document.getElementById("drop").dispatchEvent(event);
        }""",
        list(photographs[0].read_bytes()),
    )
    expect(opened.page.locator(".answer")).to_have_count(1)
    expect(opened.page.locator("#error")).to_contain_text("one.png: It cannot be read")
    expect(opened.page.locator("#error")).to_contain_text("two.png: It cannot be read")
    expect(opened.page.locator("#again")).to_be_hidden()


def test_a_key_is_asked_for_and_used(browser: Browser, photographs: list[Path], tmp_path: Path) -> None:
    with serving(tmp_path, ENSEMBLE_API_KEY="a secret") as server:
        page = browser.new_page()
        page.goto(server.address)
        page.set_input_files("#files", photographs[0])
        expect(page.locator("#key")).to_be_focused()
        expect(page.get_by_role("alert")).to_contain_text("asks for an API key")
        page.keyboard.type("a secret")
        page.keyboard.press("Enter")
        expect(page.locator(".answer")).to_have_count(1)
        page.close()


def test_files_are_sent_as_many_at_a_time_as_the_server_takes(open_page: Opener) -> None:
    found = open_page().page.evaluate(
        """async () => {
            const { packed } = await import("/static/send.js");
            const sizes = [100, 400, 300, 300, 900, 1500, 1, 1, 1, 1, 1].map((size) => ({ size: size * 1024 }));
            return packed(sizes, { photographs: 3, megabytes: 1 }).map((part) => part.map(({ size }) => size / 1024));
        }"""
    )
    assert found == [[100, 400, 300], [300], [900], [1500], [1, 1, 1], [1, 1]]


@pytest.mark.parametrize(
    ("evidence", "prior", "words"),
    [
        ("strong", 0.5, "400 of them or more get this answer, and up to 5.0 of the real ones"),
        ("strong", 0.5, "at least 98.8 % are generated"),
        ("strong", 0.001, "at least 7 % are generated"),
        ("none", 0.01, "At least 8.0 of these show no evidence either"),
    ],
)
def test_what_a_verdict_means_under_a_share_of_fakes(
    open_page: Opener, evidence: str, prior: float, words: str
) -> None:
    """Natural frequencies: 0.8 of 500 fakes are 400, and 400 / 405 is 98.8 %; 0.8 of one, beside 9.99, is 7 %."""
    found = open_page().page.evaluate(
        """async ([evidence, prior]) => {
            const { odds } = await import("/static/answer.js");
            return odds({ evidence, weight: { fakes: 0.8, reals: 0.01 } }, prior);
        }""",
        [evidence, prior],
    )
    assert words in found


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_photographs_can_be_dropped_and_pasted(open_page: Opener, photographs: list[Path], way: str) -> None:
    opened = open_page()
    opened.page.evaluate(
        """([way, bytes]) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "given.png", {type: "image/png"}));
            const options = {bubbles: true, cancelable: true, dataTransfer: data, clipboardData: data};
            const event = way === "drop" ? new DragEvent("drop", options) : new ClipboardEvent("paste", options);
            document.getElementById("drop").dispatchEvent(event);
        }""",
        [way, list(photographs[0].read_bytes())],
    )
    expect(opened.page.locator(".answer figcaption")).to_contain_text("given.png")


def test_keys_alone_are_enough(open_page: Opener, photographs: list[Path]) -> None:
    opened = open_page()
    keyboard = opened.page.keyboard
    keyboard.press("Tab")
    assert opened.page.evaluate("document.activeElement.className") == "skip"
    for _ in range(5):
        keyboard.press("Tab")
        if opened.page.evaluate("document.activeElement.id") == "files":
            break
    with opened.page.expect_file_chooser() as chooser:
        keyboard.press("Enter")
    chooser.value.set_files(photographs[1])
    expect(opened.page.locator(".answer")).to_have_count(1)
    assert opened.page.evaluate("document.activeElement.className").startswith("answer")
    keyboard.press("Tab")
    assert opened.page.evaluate("document.activeElement.type") == "range"
    keyboard.press("Tab")
    keyboard.press("Enter")
    assert opened.page.locator(".spectrum").evaluate("details => details.open")


def test_the_map_is_computed_on_request_with_its_warning(open_page: Opener, photographs: list[Path]) -> None:
    opened = open_page()
    opened.give(photographs[1])
    patches = opened.page.locator(".patches")
    assert not patches.evaluate("details => details.open")
    patches.locator("summary").click()
    expect(patches.locator(".warning")).to_be_visible()
    expect(patches.locator("canvas")).to_have_count(0)
    patches.locator("button").click()
    expect(patches.locator("canvas")).to_be_visible()


def test_an_answer_can_be_saved(open_page: Opener, photographs: list[Path], tmp_path: Path) -> None:
    opened = open_page()
    opened.give(photographs[1])

    def saved(button: str) -> Path:
        with opened.page.expect_download() as download:
            opened.page.locator(button).click()
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        return path

    content: dict[str, Any] = json.loads(saved(".json").read_text())
    assert content["name"] == "fake.png"
    assert "No verdict is a proof" in content["caution"]
    path = saved(".html")
    assert path.name == "fake-answer.html"
    opened.page.goto(path.as_uri())
    expect(opened.page.locator(".verdict")).to_have_text(content["verdict"])
    assert opened.page.locator("img").evaluate("image => image.naturalWidth") == 32
    opened.faults = [fault for fault in opened.faults if not fault.startswith("file:")]


@SIZES
@THEMES
def test_the_page_can_be_read_by_everybody(
    open_page: Opener, photographs: list[Path], size: tuple[int, int], dark: bool
) -> None:
    opened = open_page(size=size, dark=dark)
    opened.give(*photographs)
    for summary in opened.page.locator(".answer summary").all():
        summary.click()
    found = Axe().run(opened.page)
    assert len(found["passes"]) > 20
    assert [rule["id"] for rule in found["violations"] if rule["impact"] in ("serious", "critical")] == []
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= size[0]
    if size == PHONE:
        heights = opened.page.locator("button:visible").evaluate_all("all => all.map(e => e.offsetHeight)")
        assert min(heights) >= 40
