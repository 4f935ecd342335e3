"""The page in a real browser, opened from the disk: no errors, and what can be clicked does what it says.

Walks through analysis, report.
"""

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from matplotlib.image import imread

from ablation.report.page import write_report
from tests.analysis.studies import BASE, build, factorial, save
from tests.report.test_page import SECTIONS

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not shutil.which("chromium") or not shutil.which("chromedriver"), reason="no chromium here"),
]
HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">\u202e\x1b[2J"
GRID = factorial(category=["algebra", "geometry"], count=[25, 100], style=["r1", "gemini"])


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose completions, answers and question are hostile."""
    folder = tmp_path_factory.mktemp("study")
    study = build([BASE, *GRID], lambda cell, q: (q + cell["count"] // 25) % 5)
    rows = study.results.assign(
        tokens=[20 + 7 * (place % 9) for place in range(len(study.results))], finish_reason="stop", extracted=HOSTILE
    )
    save(type(study)(study.manifest, rows, study.cells), folder)
    texts = rows[["cell", "question", "attempt"]].copy()
    texts["text"] = [f"needle {cell} {HOSTILE}\nsecond line" for cell in texts["cell"]]
    texts.to_parquet(folder / "completions.parquet")
    asked = rows[["question", "tier"]].drop_duplicates().assign(problem=f"What is it? {HOSTILE}", answer="007")
    asked.to_parquet(folder / "questions.parquet")
    return write_report(folder, for_paper=False)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.set_script_timeout(20)
    yield driver
    driver.quit()


def opened(browser: Any, page: Path, fragment: str = "", width: int = 1280, scheme: str = "light") -> Any:
    """The page at a width and in a colour scheme; what was logged before is forgotten."""
    browser.get("about:blank")
    browser.get_log("browser")
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(page.as_uri() + fragment)
    return browser


def asked(browser: Any, script: str) -> Any:
    """What a script returns."""
    return browser.execute_script(f"return {script}")


def waited(browser: Any, condition: str) -> None:
    """Until a condition of the page holds."""
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 20).until(lambda _: asked(browser, condition))


def choose(browser: Any, form: str, **values: object) -> None:
    """Set fields of a form as a reader would, each with its event."""
    for name, value in values.items():
        browser.execute_script(
            "const field = document.querySelector(arguments[0]).elements[arguments[1]]; field.value = arguments[2];"
            "field.dispatchEvent(new Event('input', {bubbles: true}));",
            form, name, str(value),
        )  # fmt: skip


def test_it_opens_without_errors_and_every_section_can_be_seen(browser: Any, page: Path, tmp_path: Path) -> None:
    opened(browser, page)
    for name in SECTIONS:
        section = browser.find_element("id", name)
        picture = tmp_path / f"{name}.png"
        picture.write_bytes(base64.b64decode(section.screenshot_as_base64))
        assert imread(picture)[..., :3].std() > 0.01, f"{name} is blank"
    assert browser.get_log("browser") == []


def test_cells_can_be_searched_filtered_and_sorted(browser: Any, page: Path) -> None:
    opened(browser, page)
    shown = "[...document.querySelectorAll('#cell-table tbody tr')].filter((row) => !row.hidden)"
    assert asked(browser, f"{shown}.length") == 1 + len(GRID)
    browser.find_element("css selector", "#cells input").send_keys("geometry 100")
    assert asked(browser, f"{shown}.map((row) => row.cells[0].textContent)") == ["geometry", "geometry"]
    browser.find_element("css selector", "#cells input").clear()
    browser.execute_script(
        "const style = document.querySelectorAll('#cells form select')[3]; style.value = 'gemini';"
        "style.dispatchEvent(new Event('input', {bubbles: true}));"
    )
    assert asked(browser, f"{shown}.length") == len(GRID) / 2
    heading = browser.find_elements("css selector", "#cells th[data-sort=number]")[1]
    browser.execute_script("arguments[0].click()", heading)
    rates = asked(browser, f"{shown}.map((row) => parseFloat(row.cells[4].textContent))")
    assert rates == sorted(rates, reverse=True)


def test_completions_are_read_filtered_and_compared_and_stay_text(browser: Any, page: Path) -> None:
    title = asked(opened(browser, page, "#read?q=3&a=2&b=3"), "document.title")
    waited(browser, "document.querySelectorAll('#texts article').length === 8")
    assert "#read?q=3&a=2&b=3" in browser.current_url
    text = asked(browser, "document.querySelector('#texts pre').textContent")
    assert "<script>document.title='taken'</script>" in text and "second line" in text
    assert "\u202e" not in text and "\x1b" not in text
    choose(browser, "#reader", v="differ")
    waited(
        browser,
        "document.querySelector('#told').textContent.includes('of 4 attempts shown')"
        " && document.querySelectorAll('#texts article').length < 8",
    )
    verdicts = asked(browser, "[...document.querySelectorAll('#texts article')].map((one) => one.className)")
    assert verdicts and all(first != second for first, second in zip(verdicts[::2], verdicts[1::2], strict=True))
    choose(browser, "#reader", v="", b="", t="NEEDLE")
    waited(browser, "document.querySelectorAll('#texts mark').length === 4")
    choose(browser, "#reader", t="nowhere")
    waited(browser, "document.querySelectorAll('#texts article').length === 0")
    assert asked(browser, "document.title") == title, "a text was run"
    assert browser.get_log("browser") == []


def test_a_square_of_the_map_leads_to_its_completions(browser: Any, page: Path) -> None:
    opened(browser, page)
    browser.execute_script("document.querySelector('#map tbody tr:nth-child(2) td:nth-child(4)').click()")
    waited(browser, "document.querySelectorAll('#texts article').length === 4")
    wanted = asked(browser, "document.querySelector('#map tbody tr:nth-child(2)').dataset.c")
    assert asked(browser, "document.querySelector('#reader').elements.a.value") == wanted


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_without_sideways_scrolling(browser: Any, page: Path, scheme: str) -> None:
    opened(browser, page, width=390, scheme=scheme)
    assert asked(browser, "document.documentElement.scrollWidth") == 390
    paper = json.loads(
        asked(browser, "JSON.stringify(getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number))")
    )
    assert (max(paper) < 60) == (scheme == "dark")


def test_the_reader_chooses_the_theme_and_may_print(browser: Any, page: Path) -> None:
    opened(browser, page, scheme="dark")
    colour = "getComputedStyle(document.body).backgroundColor"
    browser.find_element("id", "theme").click()
    assert asked(browser, colour) == "rgb(255, 255, 255)"
    printed = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"])
    assert printed.startswith(b"%PDF") and printed.count(b"/Type /Page") > 3


def test_texts_that_are_gone_are_said_to_be(browser: Any, page: Path, tmp_path: Path) -> None:
    shutil.copy(page, tmp_path / "index.html")
    opened(browser, tmp_path / "index.html", "#read?q=0&a=1")
    waited(browser, "document.querySelector('#told').textContent.includes('keep the folder beside the page')")
