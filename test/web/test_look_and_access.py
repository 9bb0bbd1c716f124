"""How it looks and who can use it: colours, small windows, keyboard, screen readers, a server that goes away."""

from pathlib import Path

import pytest
from playwright.sync_api import expect
from web_samples import five_kinds
from web_steps import choose, new_member, sign_in, sign_up, wait_until_loaded, wait_until_ready

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
SIZES = {"wide": {"width": 1280, "height": 800}, "narrow": {"width": 380, "height": 760}}


def axe_violations(page) -> list[str]:
    page.evaluate(AXE.read_text())
    found = page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")["violations"]
    return [f"{row['id']}: {row['nodes'][0]['html']}" for row in found]


def fill(page):
    samples = five_kinds()
    choose(page, *samples)
    wait_until_ready(page, *(sample.name for sample in samples))


PAGES = {
    "documents": "/",
    "search": "/search?q=worker",
    "activity": "/activity",
    "trash": "/trash",
    "keys": "/keys",
    "members": "/organization",
    "groups": "/organization/groups",
    "roles": "/organization/roles",
    "audit": "/organization/audit",
    "settings": "/organization/settings",
    "password": "/account",
    "sessions": "/account/sessions",
    "two-step": "/account/second",
    "not-found": "/no/such/page",
}

PROVIDERS = {"items": [{"name": "oidc", "label": "The Firm", "start": "/api/v1/auth/oidc/oidc/start"}]}
LINKED = {
    "id": "0190d6f0-0000-7000-8000-000000000001",
    "provider": "oidc",
    "email": "ada@firm.test",
    "created_at": "2026-01-01T00:00:00Z",
    "last_used_at": None,
}

OUTSIDE = {"forgot": "/forgot", "reset": "/reset?token=x", "accept": "/accept?token=x"}


@pytest.fixture(params=["light", "dark"])
def scheme(request):
    return request.param


@pytest.fixture
def look(page, screenshots, scheme, size):
    """look(name): a picture of the page or dialog that is open, which fits into the window and which axe finds nothing in."""
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size(SIZES[size])

    def look(name: str) -> None:
        expect(page.locator(".mantine-Skeleton-root")).to_have_count(0)
        page.screenshot(path=screenshots / f"{name}-{scheme}-{size}.png")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is wider than the window"
        for dialog in page.get_by_role("dialog").all():
            assert dialog.evaluate("element => element.scrollWidth <= element.clientWidth"), f"{name} scrolls sideways"
        assert axe_violations(page) == [], name

    return look


@pytest.mark.parametrize("size", SIZES)
def test_every_page_fits_and_is_accessible(page, account, look, scheme):
    page.goto("/sign-in")
    expect(page.get_by_role("heading", name="Welcome back")).to_be_visible()
    look("sign-in")
    for name, path in OUTSIDE.items():
        page.goto(path)
        expect(page.get_by_role("heading").first).to_be_visible()
        look(name)
    sign_up(page, account)
    look("empty")
    fill(page)
    look("uploads")
    page.get_by_role("button", name="Clear finished").click()
    for name, path in PAGES.items():
        page.goto(path)
        expect(page.get_by_role("main").get_by_role("heading").first).to_be_attached()
        look(name)
    page.goto("/")
    page.get_by_role("link", name="Queue decision").click()
    expect(page.get_by_role("region", name="Text of the document")).to_contain_text("lease")
    look("document")
    assert page.evaluate("document.documentElement.dataset.mantineColorScheme") == scheme


def furnish(dms, account) -> str:
    """A role of one's own, a program with a key, and a document under a folder with grants; the document's id."""
    robot = new_member(dms, account, "API_Only", "Nightly robot")
    with dms.login(account["email"], account["password"]) as client:
        members = client.ok("GET", "/members")["items"]
        robot_id = next(member["user_id"] for member in members if member["email"] == robot["email"])
        role = {"name": "Librarian", "description": "Keeps the shelves", "permissions": ["document.read", "folder.read"]}
        client.ok("POST", "/roles", 201, json=role)
        client.ok("POST", "/api-keys", 201, json={"name": "Import", "scopes": ["document.read"], "user_id": robot_id})
        group = client.ok("POST", "/groups", 201, json={"name": "Legal"})
        folder = client.ok("POST", "/folders", 201, json={"name": "Contracts"})
        above = {"principal_type": "group", "principal_id": group["id"], "level": "write"}
        client.ok("PUT", f"/folders/{folder['id']}/permissions", json={"restricted": True, "grants": [above]})
        document = client.upload("# Lease\n\nSigned in May.\n", name="lease.md", folder_id=folder["id"])
        here = [
            {"principal_type": "user", "principal_id": robot_id, "level": "read"},
            {"principal_type": "role", "principal_id": "Viewer", "level": "manage"},
        ]
        client.ok("PUT", f"/documents/{document['id']}/permissions", json={"restricted": False, "grants": here})
    return document["id"]


@pytest.mark.parametrize("size", SIZES)
def test_every_dialog_fits_and_is_accessible(page, account, dms, look):
    sign_up(page, account)
    document = furnish(dms, account)
    page.goto("/organization/roles")
    page.get_by_role("button", name="Edit role Librarian").scroll_into_view_if_needed()
    look("roles-own")
    page.get_by_role("button", name="Edit role Librarian").click()
    expect(page.get_by_role("checkbox", name="See folders")).to_be_checked()
    look("role-dialog")
    page.goto("/keys")
    expect(page.get_by_text("of Nightly robot")).to_be_visible()
    look("keys-of-others")
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_label("For", exact=True)).to_be_visible()
    look("key-dialog")
    page.goto(f"/documents/{document}")
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Who can see this").click()
    expect(page.get_by_role("region", name="From the folders above")).to_contain_text("Legal")
    look("access-dialog")
    page.get_by_role("checkbox", name="Only those named here").check()
    look("access-dialog-restricted")
    page.route("**/api/v1/auth/oidc", lambda route: route.fulfill(json=PROVIDERS))
    page.route("**/api/v1/auth/identities", lambda route: route.fulfill(json={"items": [LINKED]}))
    page.goto("/account/providers?linked=oidc")
    expect(page.get_by_role("list", name="Sign-in providers")).to_contain_text("ada@firm.test")
    look("providers")
    page.get_by_role("button", name="Unlink The Firm").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    look("unlink")


def test_the_colours_can_be_chosen_and_stay(signed_in):
    page = signed_in
    page.emulate_media(color_scheme="light")
    page.get_by_role("button", name="Account").click()
    page.get_by_role("radiogroup", name="Colours").get_by_text("Dark").click()
    dark = page.locator("html[data-mantine-color-scheme=dark]")
    expect(dark).to_be_attached()
    page.reload()
    expect(dark).to_be_attached()


def test_the_keyboard_is_enough(signed_in):
    page = signed_in
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("searchbox")).not_to_be_focused()  # else the letter would be typed there
    with page.expect_file_chooser():
        page.keyboard.press("u")
    page.goto("/trash")
    expect(page.get_by_role("heading", name="Trash", exact=True)).to_be_visible()
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_nothing_jumps_while_a_page_loads(page, account):
    sign_up(page, account)
    fill(page)
    page.add_init_script(
        """window.shift = 0;
        new PerformanceObserver(list => { for (const entry of list.getEntries()) window.shift += entry.value; })
            .observe({ type: 'layout-shift', buffered: true });"""
    )
    for path in ("/", "/search?q=worker", "/keys"):
        page.goto(path)
        expect(page.get_by_role("main").get_by_role("heading").first).to_be_attached()
        page.wait_for_timeout(600)  # a shift is something that must not happen within a while
        assert page.evaluate("window.shift") < 0.1, path


def test_a_server_that_does_not_answer_is_said_and_come_back_to(signed_in, complaints):
    complaints.expected("ERR_|Failed to load resource")
    page = signed_in
    wait_until_loaded(page, "JobsPage")
    page.context.set_offline(True)
    page.get_by_role("navigation").get_by_role("link", name="Activity").click()
    expect(page.get_by_text("No connection to the server")).to_be_visible()
    page.context.set_offline(False)
    expect(page.get_by_text("No connection to the server")).to_have_count(0, timeout=30_000)
    expect(page.get_by_role("heading", name="Activity")).to_be_visible()


def test_an_ended_session_asks_to_sign_in_and_goes_on_where_it_was(signed_in, account, complaints):
    complaints.expected("status of 401")
    page = signed_in
    page.goto("/keys")
    expect(page.get_by_role("heading", name="API keys")).to_be_visible()
    page.evaluate("sessionStorage.setItem('dms.refresh', 'gone')")
    page.reload()
    expect(page.get_by_text("Your session has ended")).to_be_visible()
    sign_in(page, account)
    expect(page.get_by_role("heading", name="API keys")).to_be_visible()


def test_the_pages_come_with_a_policy_that_allows_nothing_inline(page):
    answer = page.goto("/")
    policy = answer.header_value("content-security-policy")
    assert "unsafe-inline" not in policy and "unsafe-eval" not in policy
    assert page.locator("script:not([src]), style, [onclick]").count() == 0
