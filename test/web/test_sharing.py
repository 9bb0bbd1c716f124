"""What members may do and see: roles of one's own, keys for programs, who can see a document, sign-in by a provider."""

import json
import subprocess
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect
from web_samples import five_kinds
from web_steps import choose, new_member, other_browser, sign_in, sign_up, upload_row, wait_until_ready

PROVIDER = Path(__file__).parents[1] / "oidc" / "hostile.mjs"  # signs whoever comes in at once, as the same person


@pytest.fixture
def other(browser, dms):
    context, page = other_browser(browser, dms)
    yield page
    context.close()


@pytest.fixture
def provider():
    process = subprocess.Popen(["node", PROVIDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    issuer = process.stdout.readline().strip()
    claims = {"email": "ada@elsewhere.test", "email_verified": True}
    httpx.put(f"{issuer}/control", content=json.dumps({"claims": claims}), trust_env=False).raise_for_status()
    yield issuer
    process.stdin.close()
    process.wait(20)
    process.stdout.close()


def reload_until(page, locator, count: int) -> None:
    """What somebody else changed holds everywhere within seconds."""
    for _ in range(20):
        page.reload()
        expect(page.get_by_role("heading", name="Documents", exact=True)).to_be_visible()
        expect(page.locator("main .mantine-Skeleton-root")).to_have_count(0)
        if locator.count() == count:
            return
        page.wait_for_timeout(500)
    expect(locator).to_have_count(count)


def test_a_role_of_ones_own_is_made_given_changed_and_deleted(page, account, dms, other, complaints):
    complaints.expected("status of 409")
    sign_up(page, account)
    grace = new_member(dms, account, "Viewer", "Grace Reader")
    page.goto("/organization/roles")
    page.get_by_role("button", name="Create role").click()
    dialog = page.get_by_role("dialog", name="Create role")
    expect(dialog.get_by_role("textbox", name="Name")).to_be_focused()
    dialog.get_by_role("textbox", name="Name").fill("Librarian")
    for allowed in ("See documents, their text, versions and history", "Upload documents", "See folders", "Search"):
        dialog.get_by_role("checkbox", name=allowed, exact=True).check()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("columnheader", name="Librarian")).to_be_visible()

    page.get_by_role("tab", name="Members").click()
    choice = page.get_by_label("Role of Grace Reader")
    choice.select_option("Librarian")
    expect(page.get_by_text("Grace Reader is Librarian now.")).to_be_visible()
    other.goto("/sign-in")
    sign_in(other, grace)
    expect(other.get_by_role("button", name="Upload").first).to_be_visible()
    expect(other.get_by_role("navigation").get_by_role("link", name="API keys")).to_have_count(0)

    page.get_by_role("tab", name="Roles").click()
    page.get_by_role("button", name="Edit role Librarian").click()
    dialog = page.get_by_role("dialog", name="Edit role Librarian")
    expect(dialog.get_by_role("checkbox", name="Upload documents")).to_be_checked()
    dialog.get_by_role("textbox", name="Name").fill("Archivist")
    dialog.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Delete role Archivist").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete role").click()
    expect(page.get_by_text("This role is in use")).to_be_visible()

    page.get_by_role("tab", name="Members").click()
    expect(choice.locator("option:checked")).to_have_text("Archivist")
    choice.select_option("Viewer")
    expect(page.get_by_text("Grace Reader is Viewer now.")).to_be_visible()
    page.get_by_role("tab", name="Roles").click()
    page.get_by_role("button", name="Delete role Archivist").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete role").click()
    expect(page.get_by_text("The role “Archivist” is deleted.")).to_be_visible()
    expect(page.get_by_role("columnheader", name="Archivist")).to_have_count(0)


def test_nobody_gives_a_permission_that_they_do_not_have(page, account, dms, other):
    sign_up(page, account)
    admin = new_member(dms, account, "Admin", "Grace Admin")
    with dms.login(account["email"], account["password"]) as owner:
        owner.ok("POST", "/roles", 201, json={"name": "Treasurer", "permissions": ["billing.manage"]})
    other.goto("/sign-in")
    sign_in(other, admin)
    other.goto("/organization/roles")
    other.get_by_role("button", name="Create role").click()
    expect(other.get_by_role("checkbox", name="Invite members")).to_be_enabled()
    expect(other.get_by_role("checkbox", name="Change the plan")).to_be_disabled()
    other.keyboard.press("Escape")
    other.get_by_role("button", name="Edit role Treasurer").click()
    other.get_by_role("checkbox", name="Invite members").check()
    other.get_by_role("button", name="Save").click()
    expect(other.get_by_role("alert")).to_contain_text("permissions that you do not have yourself")
    other.get_by_role("checkbox", name="Invite members").uncheck()
    other.get_by_role("textbox", name="Name").fill("Cashier")
    other.get_by_role("button", name="Save").click()
    expect(other.get_by_role("columnheader", name="Cashier")).to_be_visible()


def test_a_key_is_made_for_a_member_that_cannot_sign_in(page, account, dms):
    sign_up(page, account)
    new_member(dms, account, "API_Only", "Nightly robot")
    page.goto("/keys")
    page.get_by_role("button", name="Create key").click()
    dialog = page.get_by_role("dialog", name="Create key")
    dialog.get_by_role("textbox", name="Name").fill("Import")
    dialog.get_by_label("For", exact=True).select_option(label="Nightly robot")
    dialog.get_by_role("button", name="Create key").click()
    key = page.get_by_test_id("api-key").inner_text()
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_role("row").filter(has_text="Import")).to_contain_text("of Nightly robot")
    who = httpx.get(f"{dms.url}/api/v1/auth/me", headers={"X-API-Key": key}, trust_env=False)
    assert who.status_code == 200 and who.json()["user"]["name"] == "Nightly robot", who.text


def test_a_document_is_kept_from_a_member_and_given_back(page, account, dms, other):
    sign_up(page, account)
    choose(page, five_kinds()[1])
    wait_until_ready(page, "harvest-notes.txt")
    grace = new_member(dms, account, "Viewer", "Grace Reader")
    other.goto("/sign-in")
    sign_in(other, grace)
    seen = other.get_by_role("row").filter(has_text="harvest-notes")
    expect(seen).to_be_visible()
    upload_row(page, "harvest-notes.txt").get_by_role("link").click()

    def open_dialog():
        page.get_by_role("button", name="More actions").click()
        page.get_by_role("menuitem", name="Who can see this").click()
        opened = page.get_by_role("dialog", name="Who can see this")
        expect(opened.get_by_role("checkbox", name="Only those named here")).to_be_focused()
        return opened

    dialog = open_dialog()
    expect(dialog).to_contain_text("All members see it")
    page.keyboard.press("Space")
    expect(dialog).to_contain_text("Nobody else sees it")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    reload_until(other, seen, 0)

    dialog = open_dialog()
    expect(dialog.get_by_role("checkbox", name="Only those named here")).to_be_checked()
    dialog.get_by_label("Give access to").select_option(label="Grace Reader")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog.get_by_label("What Grace Reader may do")).to_have_value("read")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    reload_until(other, seen, 1)

    dialog = open_dialog()
    dialog.get_by_role("button", name="Take access from Grace Reader").click()
    expect(dialog).to_contain_text("Nobody is named here.")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    reload_until(other, seen, 0)


def test_a_provider_is_linked_by_one_person_and_unlinked(browser, start_dms, provider, account, complaints):
    dms = start_dms(
        env={
            "DMS_OIDC_ISSUER": provider,
            "DMS_OIDC_CLIENT_ID": "dms",
            "DMS_OIDC_CLIENT_SECRET": "secret",
            "DMS_OIDC_NAME": "The Firm",
            "DMS_EMBED_PROVIDER": "none",
        }
    )

    def link(person: dict):
        context = browser.new_context(base_url=f"http://localhost:{dms.port}", locale="en-GB")
        context.on("page", complaints.watch)
        page = context.new_page()
        sign_up(page, person)
        page.goto("/account")
        page.get_by_role("tab", name="Sign-in providers").click()
        page.get_by_role("button", name="Link The Firm").click()
        return page

    page = link(account)
    expect(page.get_by_text("You can sign in with The Firm from now on.")).to_be_visible()
    expect(page.get_by_role("list", name="Sign-in providers")).to_contain_text("ada@elsewhere.test")
    second = link({**account, "email": "grace-" + account["email"]})
    expect(second.get_by_text("That account is linked to somebody else here already.")).to_be_visible()

    page.get_by_role("button", name="Unlink The Firm").click()
    page.get_by_role("dialog").get_by_role("button", name="Unlink").click()
    expect(page.get_by_text("The Firm is unlinked.")).to_be_visible()
    expect(page.get_by_role("list", name="Sign-in providers")).to_have_count(0)
    for each in (page, second):
        each.context.close()
