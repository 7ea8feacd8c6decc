"""Chromium without a window, as Debian has it, and pages of the dashboard in it."""

import json
import shutil
import time
from contextlib import contextmanager

import pytest


@contextmanager
def browser(width=1280, height=900):
    """A browser; skips where there is none."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("chromium and chromedriver are not here")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for word in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage"):
        options.add_argument(f"--{word}")
    options.add_argument(f"--window-size={width},{height}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driven = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield driven
    finally:
        driven.quit()


def wait_for(driven, script, seconds=20):
    """Wait until a script gives something true in the page, and give that."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := driven.execute_script(f"return {script}"):
            return found
        time.sleep(0.05)
    shown = driven.execute_script("return document.body.innerText")
    raise AssertionError(f"{script} did not come true; the page says:\n{shown}\n{errors(driven)}")


def errors(driven):
    """What the browser complained of since the last time, such as of what the policy forbids."""
    return [
        entry["message"]
        for entry in driven.get_log("browser")
        if entry["level"] == "SEVERE" or "Content Security Policy" in entry["message"]
    ]


def screen(driven, width, height, scheme="light"):
    """Have a screen of a size, and of a colour scheme."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driven.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driven.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def text(driven, selector):
    """The text of an element, "" where there is none."""
    chosen = json.dumps(selector)
    return driven.execute_script(f"return document.querySelector({chosen})?.innerText ?? ''")
