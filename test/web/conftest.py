"""A browser that drives the web application of a running server (fixture `dms` of the conftest above).

Each test gets a fresh browser profile. Whatever the page writes to the console as an error fails the test, above all
violations of the content security policy.
"""

import os
import re
import uuid
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from web_steps import sign_up

CHROMIUM = os.environ.get("DMS_TEST_CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PASSWORD = "correct horse battery staple"

expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        instance = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield instance
        instance.close()


class Complaints:
    """What pages wrote to the console as errors. A test that provokes one names it with `expected`."""

    def __init__(self):
        self.seen: list[str] = []
        self.allowed: list[str] = []

    def expected(self, pattern: str) -> None:
        self.allowed.append(pattern)

    def watch(self, page: Page) -> None:
        page.on("console", lambda message: self.seen.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.seen.append(f"uncaught: {error}"))

    def left(self) -> list[str]:
        return [text for text in self.seen if not any(re.search(pattern, text) for pattern in self.allowed)]


@pytest.fixture
def complaints():
    found = Complaints()
    yield found
    assert found.left() == []


@pytest.fixture
def context(browser, dms, complaints):
    instance = browser.new_context(
        base_url=dms.url, viewport={"width": 1280, "height": 800}, locale="en-GB", accept_downloads=True
    )
    instance.on("page", complaints.watch)
    yield instance
    instance.close()


@pytest.fixture
def page(context):
    """One that holds file choosers from the beginning: asked for only when one is about to open, they may be cancelled before that has reached the browser."""
    page = context.new_page()
    page.on("filechooser", lambda chooser: None)
    return page


@pytest.fixture
def account():
    """Somebody who has not registered yet, in an organization of their own."""
    token = uuid.uuid4().hex[:12]
    return {
        "name": "Ada Archivist",
        "organization": f"Archive {token}",
        "email": f"ada-{token}@example.test",
        "password": PASSWORD,
    }


@pytest.fixture
def signed_in(page, account):
    """The page, signed in to an empty organization."""
    sign_up(page, account)
    return page


@pytest.fixture
def screenshots(tmp_path_factory):
    folder = os.environ.get("DMS_TEST_SCREENSHOTS")
    path = Path(folder) if folder else tmp_path_factory.mktemp("screenshots")
    path.mkdir(parents=True, exist_ok=True)
    return path
