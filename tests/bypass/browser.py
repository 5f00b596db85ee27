"""A real browser before MLflow's own pages."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

WAIT = 30
"""Seconds that a page may take: MLflow's first one loads several megabytes of script."""


def _chromium() -> tuple[str, str]:
    """Return where browser and driver are; skip where there are none, or fail where servers are demanded."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        reason = "no chromium and chromedriver here: apt-get install chromium chromium-driver"
        if os.environ.get("AIMS_REQUIRE_SERVERS") == "1":
            pytest.fail(f"AIMS_REQUIRE_SERVERS=1, but {reason}")
        pytest.skip(reason)
    return browser, driver


@dataclass
class Browser:
    """MLflow's pages as a person sees them."""

    driver: Any
    url: str

    def open(self, name: str, version: str) -> None:
        """Show the page of a model version."""
        self.driver.get("about:blank")  # else only the fragment changes, and an open dialog stays
        self.driver.get(f"{self.url}/#/models/{name}/versions/{version}")
        self.find("[data-component-id*='promotemodelbutton']")
        self._settle()

    def _settle(self) -> None:
        """Wait until the page has asked for nothing more for a while: its dialogs use what arrives after they show."""
        from selenium.webdriver.support.wait import WebDriverWait

        asked = "return performance.getEntriesByType('resource').filter(e => e.name.includes('api/')).length"
        seen = [-1, -2]

        def quiet(driver: Any) -> bool:
            seen.append(driver.execute_script(asked))
            return seen[-1] == seen[-2] == seen[-3]

        WebDriverWait(self.driver, WAIT, poll_frequency=0.7).until(quiet, "the page never comes to rest")

    def gone(self, selector: str) -> None:
        """Wait until an element is not shown any more."""
        from selenium.webdriver.common.by import By
        from selenium.webdriver.support import expected_conditions
        from selenium.webdriver.support.wait import WebDriverWait

        hidden = expected_conditions.invisibility_of_element_located((By.CSS_SELECTOR, selector))
        WebDriverWait(self.driver, WAIT).until(hidden, f"{selector} stays")

    def find(self, selector: str) -> Any:
        """Return an element as soon as it can be clicked."""
        from selenium.webdriver.common.by import By
        from selenium.webdriver.support import expected_conditions
        from selenium.webdriver.support.wait import WebDriverWait

        return WebDriverWait(self.driver, WAIT).until(
            expected_conditions.element_to_be_clickable((By.CSS_SELECTOR, selector)), f"nothing to click at {selector}"
        )

    def say_alias(self, alias: str) -> None:
        """Open the alias dialog, type an alias, and save."""
        from selenium.webdriver.common.keys import Keys

        self.find("[data-component-id*='modelversionviewaliaseditor']").click()
        box = self.find("[role=dialog] input")
        box.send_keys(alias)
        box.send_keys(Keys.ENTER)
        self.find("[data-component-id='mlflow.edit-aliases-modal.save-button']").click()

    def promote_into_new(self, name: str) -> None:
        """Open the dialog `Promote model`, ask for a copy into a new registered model, and promote."""
        self.find("[data-component-id*='promotemodelbutton']").click()
        self._choose("Create New Model")
        self.find("[role=dialog] input#modelName, [role=dialog] input[placeholder='Input a model name']").send_keys(
            name
        )
        self._press("Promote")

    def _choose(self, words: str) -> None:
        self.find("[role=dialog] #selectedModel").click()
        self._text("//div[contains(@class, 'select-item-option-content')]", words).click()

    def _press(self, words: str) -> None:
        self._text("//div[@role='dialog']//button", words).click()

    def _text(self, path: str, words: str) -> Any:
        from selenium.webdriver.common.by import By
        from selenium.webdriver.support import expected_conditions
        from selenium.webdriver.support.wait import WebDriverWait

        place = (By.XPATH, f"{path}[normalize-space(.)='{words}']")
        return WebDriverWait(self.driver, WAIT).until(expected_conditions.element_to_be_clickable(place), words)

    def sees(self, words: str) -> str:
        """Wait until the page shows these words; return all that it shows."""
        from selenium.common.exceptions import TimeoutException
        from selenium.webdriver.common.by import By
        from selenium.webdriver.support.wait import WebDriverWait

        def shown(driver: Any) -> str | None:
            text = str(driver.find_element(By.TAG_NAME, "body").text)
            return text if words in text else None

        try:
            return str(WebDriverWait(self.driver, WAIT).until(shown))
        except TimeoutException:
            text = self.driver.find_element(By.TAG_NAME, "body").text
            pytest.fail(f"the page does not say {words!r}; it says:\n{text}")

    def picture(self, path: Path) -> None:
        """Keep what the page looks like."""
        assert self.driver.save_screenshot(str(path))


@contextlib.contextmanager
def browser(url: str, folder: Path) -> Iterator[Browser]:
    """Start a browser without window, and end it."""
    place, service = _chromium()
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = place
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1400,1000"):
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={folder / 'profile'}")
    driver = webdriver.Chrome(options=options, service=Service(service))
    try:
        yield Browser(driver, url)
    finally:
        driver.quit()
