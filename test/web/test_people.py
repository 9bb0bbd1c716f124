"""People in the application: invitations, roles, groups, a forgotten password, two-step sign-in, sessions, the audit log."""

import base64
import hashlib
import hmac
import re
import time

from playwright.sync_api import expect
from web_steps import STRONGER, accept, invite, other_browser, sign_in, sign_up

def code_of(secret: str, step: int = 0) -> str:
    """The code of RFC 6238 that an authenticator app shows for a key, `step` half minutes from now."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, (int(time.time()) // 30 + step).to_bytes(8, "big"), hashlib.sha1).digest()
    at = digest[19] & 15
    return f"{(int.from_bytes(digest[at:at + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06d}"


def test_somebody_is_invited_joins_gets_another_role_and_is_removed(page, account, browser, dms):
    sign_up(page, account)
    address = account["email"].replace("ada", "grace")
    invite(page, address, "Viewer")
    expect(page.get_by_role("region", name="Open invitations")).to_contain_text(address)
    context, theirs = other_browser(browser, dms)
    accept(theirs, dms, address, "Grace Reader")
    theirs.get_by_role("link", name="Sign in").click()
    sign_in(theirs, {"email": address, "password": STRONGER})
    expect(theirs.get_by_role("button", name="Upload")).to_have_count(0)
    page.reload()
    choice = page.get_by_label("Role of Grace Reader")
    choice.select_option("Editor")
    expect(page.get_by_text("Grace Reader is Editor now.")).to_be_visible()
    theirs.wait_for_timeout(5000)  # the bound within which a role holds everywhere
    theirs.reload()
    expect(theirs.get_by_role("button", name="Upload").first).to_be_visible()
    page.get_by_role("button", name="Remove Grace Reader").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_text("Grace Reader is no longer a member.")).to_be_visible()
    context.close()


def test_a_group_gets_a_member(page, account):
    sign_up(page, account)
    page.goto("/organization/groups")
    page.get_by_label("Name").fill("Legal")
    page.get_by_role("button", name="Create group").click()
    page.get_by_role("button", name="Legal", exact=True).click()
    dialog = page.get_by_role("dialog", name="Members of Legal")
    dialog.get_by_label("Add a member").select_option(label=account["name"])
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog.get_by_role("button", name=f"Take {account['name']} out of the group")).to_be_visible()


def test_a_forgotten_password_is_replaced_by_mail(page, account, dms, complaints):
    complaints.expected("status of 401")
    sign_up(page, account)
    page.get_by_role("button", name="Account").click()
    page.get_by_role("menuitem", name="Sign out").click()
    page.get_by_role("link", name="Forgot your password?").click()
    page.get_by_role("textbox", name="E-mail").fill(account["email"])
    before = len(dms.mails(account["email"]))
    page.get_by_role("button", name="Send link").click()
    expect(page.get_by_text("a link is on its way")).to_be_visible()
    page.wait_for_timeout(0)
    for _ in range(200):
        if len(dms.mails(account["email"])) > before:
            break
        page.wait_for_timeout(100)
    page.goto(f"/reset?token={dms.mail_token(account['email'])}")
    page.get_by_role("textbox", name="New password").fill(STRONGER)
    page.get_by_role("button", name="Set password").click()
    expect(page.get_by_text("Your password is changed.")).to_be_visible()
    page.get_by_role("link", name="Sign in").click()
    sign_in(page, {**account, "password": STRONGER})


def test_two_step_sign_in_is_set_up_and_asked_for(page, account, complaints):
    complaints.expected("status of 401")
    sign_up(page, account)
    page.goto("/account/second")
    page.get_by_role("textbox", name="Current password").fill(account["password"])
    page.get_by_role("button", name="Set up").click()
    secret = page.get_by_test_id("totp-secret").inner_text()
    page.get_by_role("textbox", name="Code").fill(code_of(secret))
    page.get_by_role("button", name="Turn on").click()
    shown = page.get_by_test_id("recovery-codes").locator("span")
    expect(shown).to_have_count(10)
    codes = shown.all_inner_texts()
    assert len(set(codes)) == 10
    page.get_by_role("button", name="I have kept them").click()
    expect(page.get_by_text("Two-step sign-in is on.")).to_be_visible()
    page.get_by_role("button", name="Account").click()
    page.get_by_role("menuitem", name="Sign out").click()
    page.get_by_role("textbox", name="E-mail").fill(account["email"])
    page.get_by_role("textbox", name="Password").fill(account["password"])
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_text("Enter the code from your authenticator app.")).to_be_visible()
    page.get_by_label("One-time code").fill(codes[0])
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("button", name="Account")).to_be_visible()


def test_another_session_is_seen_and_ended(page, account, browser, dms, complaints):
    sign_up(page, account)
    context, other = other_browser(browser, dms)
    other.goto("/sign-in")
    sign_in(other, account)
    page.goto("/account/sessions")
    expect(page.get_by_text("This one")).to_be_visible()
    page.get_by_role("button", name="Sign out everywhere else").click()
    expect(page.get_by_text("All other sessions have ended.")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^Sign out "))).to_have_count(0)
    expect(other.get_by_text("Your session has ended")).to_be_visible()  # by itself: its event stream ends with the session
    context.close()


def test_the_audit_log_shows_what_was_done_and_that_it_is_whole(page, account):
    sign_up(page, account)
    page.goto("/organization/audit")
    page.get_by_role("button", name="auth.login").first.click()
    expect(page.get_by_role("dialog", name="auth.login")).to_contain_text("password")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_text("rows are as they were written.")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    assert download.value.suggested_filename == "audit.csv"
