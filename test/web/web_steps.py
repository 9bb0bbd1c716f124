"""What people do in the application, as steps for the tests."""

import re

from playwright.sync_api import Page, expect

STRONGER = "a much longer phrase than before 7"


def sign_up(page: Page, account: dict) -> None:
    page.goto("/sign-up")
    page.get_by_label("Your name").fill(account["name"])
    page.get_by_label("Organization", exact=False).fill(account["organization"])
    page.get_by_role("textbox", name="E-mail").fill(account["email"])
    page.get_by_role("textbox", name="Password").fill(account["password"])
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("heading", name="Documents", exact=True)).to_be_visible()


def sign_in(page: Page, account: dict, stay: bool = False) -> None:
    page.get_by_role("textbox", name="E-mail").fill(account["email"])
    page.get_by_role("textbox", name="Password").fill(account["password"])
    if stay:
        page.get_by_label("Stay signed in").check()
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).not_to_have_url(re.compile("/sign-in"))
    expect(page.get_by_role("main")).to_be_visible()


def payload(*samples) -> list[dict]:
    return [{"name": sample.name, "mimeType": sample.mime, "buffer": sample.data} for sample in samples]


def choose(page: Page, *samples) -> None:
    """Uploads through the button and the file chooser."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("banner").get_by_role("button", name="Upload").first.click()
    chooser.value.set_files(payload(*samples))


def drop(page: Page, *samples) -> None:
    """Drops files onto the middle of the page as a file manager would."""
    transfer = page.evaluate_handle(
        """files => {
            const transfer = new DataTransfer();
            for (const { name, type, bytes } of files)
                transfer.items.add(new File([new Uint8Array(bytes)], name, { type }));
            return transfer;
        }""",
        [{"name": s.name, "type": s.mime, "bytes": list(s.data)} for s in samples],
    )
    for kind in ("dragenter", "dragover", "drop"):
        page.dispatch_event("main", kind, {"dataTransfer": transfer})


def tray(page: Page):
    return page.get_by_role("region", name="Uploads")


def upload_row(page: Page, name: str):
    return tray(page).get_by_role("listitem").filter(has_text=name)


def wait_until_ready(page: Page, *names: str) -> None:
    for name in names:
        expect(upload_row(page, name)).to_have_attribute("data-phase", "done", timeout=60_000)


def wait_until_loaded(page: Page, part: str) -> None:
    """Until the browser has fetched a file with this in its name. (Page.wait_for_function needs eval, which is forbidden.)"""
    names = "() => performance.getEntriesByType('resource').map(entry => entry.name)"
    for _ in range(200):
        if any(part in name for name in page.evaluate(names)):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{part} was not fetched")


def other_browser(browser, dms):
    context = browser.new_context(base_url=dms.url, locale="en-GB")
    return context, context.new_page()


def invite(page: Page, address: str, role: str) -> None:
    page.goto("/organization")
    page.get_by_role("button", name="Invite").click()
    dialog = page.get_by_role("dialog", name="Invite somebody")
    dialog.get_by_label("E-mail").fill(address)
    dialog.get_by_label("Role").select_option(role)
    dialog.get_by_role("button", name="Send invitation").click()
    expect(dialog).to_have_count(0)


def accept(page: Page, dms, address: str, name: str) -> None:
    page.goto(f"/accept?token={dms.mail_token(address)}")
    page.get_by_label("Your name").fill(name)
    page.get_by_role("textbox", name="Password").fill(STRONGER)
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_text("You are in")).to_be_visible()


def new_member(dms, account: dict, role: str, name: str) -> dict:
    """Somebody with that role in the account's organization, invited and come by the API; what they sign in with."""
    address = account["email"].replace("ada", name.split()[0].lower())
    with dms.login(account["email"], account["password"]) as client:
        client.ok("POST", "/invitations", 201, json={"email": address, "role": role})
    token = dms.invitation_tokens(address)[-1]
    with dms.http() as http:
        answer = http.post("/api/v1/invitations/accept", json={"token": token, "name": name, "password": STRONGER})
    assert answer.is_success, answer.text
    return {"email": address, "password": STRONGER, "name": name}
