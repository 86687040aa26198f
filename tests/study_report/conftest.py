"""A headless Chromium, and the page of a small study in it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from study_report.sample import write_sample

PHONE, DESKTOP = (360, 740), (1280, 900)
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


def _lacking(what: str) -> None:
    """Skip, unless this is where nothing may be skipped (.ci/run sets SUBPIXEL_BROWSER=required)."""
    reason = f"the page is tested in a browser, and {what} is not here (Debian: apt install chromium chromium-driver)"
    if os.environ.get("SUBPIXEL_BROWSER") == "required":
        pytest.fail(reason)
    pytest.skip(reason)


class Browser:
    """Chromium with a window of a phone's or a desktop's size, and what it had to complain about."""

    def __init__(self, driver) -> None:
        self.driver = driver

    def open(self, path: Path, size: tuple[int, int] = DESKTOP, *, dark: bool = False) -> None:
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size[0] < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.driver.get_log("browser")
        self.driver.get(path.as_uri())

    def run(self, script: str, *arguments):
        return self.driver.execute_script(script, *arguments)

    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver", reason="the page is tested in a browser by selenium")
    chromium = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")
    driver = shutil.which("chromedriver")
    if chromium is None:
        _lacking("Chromium")
    if driver is None:
        _lacking("chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    found = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=driver))
    yield Browser(found)
    found.quit()


@pytest.fixture(scope="session")
def page(tmp_path_factory):
    """The page of results that were never made."""
    from subpixel.study.report import write_report

    folder = tmp_path_factory.mktemp("page")
    write_sample(folder / "results")
    write_report(folder / "results", folder / "study.html")
    return folder / "study.html"
