"""What somebody does in the first hour: sign up, bring documents, find them, read them, get them back."""

import re

import pytest
from playwright.sync_api import expect
from web_samples import Sample, five_kinds, truncated_pdf
from web_steps import choose, drop, sign_in, sign_up, tray, upload_row, wait_until_ready


def search(page, query: str):
    box = page.get_by_role("searchbox", name="Search documents")
    box.fill(query)
    box.press("Enter")


def test_sign_up_leads_into_an_empty_place_that_says_what_to_do(page, account):
    sign_up(page, account)
    expect(page.get_by_text("Drop your first documents here")).to_be_visible()
    expect(page.get_by_role("contentinfo").get_by_role("link", name="API reference")).to_have_attribute("href", "/docs")


def test_a_bad_password_is_explained_at_its_field(page, account, complaints):
    complaints.expected("status of 400")
    page.goto("/sign-up")
    page.get_by_label("Your name").fill(account["name"])
    page.get_by_label("Organization", exact=False).fill(account["organization"])
    page.get_by_role("textbox", name="E-mail").fill(account["email"])
    page.get_by_role("textbox", name="Password").fill("short")
    page.get_by_role("button", name="Create account").click()
    field = page.get_by_role("textbox", name="Password")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("Request id:")).to_be_visible()


def test_a_wrong_password_is_refused_and_the_right_one_leads_back(page, account, complaints):
    complaints.expected("status of 401")
    sign_up(page, account)
    page.get_by_role("button", name="Account").click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_role("heading", name="Welcome back")).to_be_visible()
    page.goto("/activity?from=mail")
    expect(page).to_have_url(re.compile("/sign-in"))
    page.get_by_role("textbox", name="E-mail").fill(account["email"])
    page.get_by_role("textbox", name="Password").fill("not the password at all")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()
    sign_in(page, account)
    expect(page).to_have_url(re.compile(r"/activity\?from=mail$"))


def test_staying_signed_in_survives_the_tab_and_the_rest_does_not(page, context, account):
    sign_up(page, account)
    page.reload()
    expect(page.get_by_role("heading", name="Documents", exact=True)).to_be_visible()
    other = context.new_page()
    other.goto("/")
    expect(other.get_by_role("heading", name="Welcome back")).to_be_visible()
    sign_in(other, account, stay=True)
    third = context.new_page()
    third.goto("/")
    expect(third.get_by_role("heading", name="Documents", exact=True)).to_be_visible()


def test_the_five_kinds_are_read_found_and_given_back_unchanged(signed_in):
    page = signed_in
    samples = five_kinds()
    choose(page, *samples[:2])
    drop(page, *samples[2:])
    wait_until_ready(page, *(sample.name for sample in samples))
    for sample in samples:
        expect(page.locator("tr").filter(has_text=sample.name).locator("[data-status=processed]")).to_be_visible()
    page.get_by_role("button", name="Clear finished").click()

    search(page, "ADR-018")
    hit = page.get_by_role("main").get_by_role("listitem").first
    expect(hit.get_by_role("link", name="Queue decision")).to_be_visible()
    expect(hit.locator("mark").filter(has_text=re.compile("ADR|018")).first).to_be_visible()
    hit.get_by_role("link").click()
    text = page.get_by_role("region", name="Text of the document")
    expect(text).to_contain_text("Ünïcödé 🙂 stays whole")
    expect(text.locator("mark[data-current]")).to_be_in_viewport()
    expect(page.get_by_role("complementary", name="Details")).to_contain_text("decision")

    for sample in samples:
        page.goto("/")
        page.get_by_role("row").filter(has_text=sample.name).get_by_role("link").click()
        with page.expect_download() as download:
            page.get_by_role("button", name="Download", exact=True).click()
        assert download.value.suggested_filename == sample.name
        assert download.value.path().read_bytes() == sample.data


def test_a_question_in_other_words_finds_the_passage_by_meaning(signed_in):
    page = signed_in
    notes = five_kinds()
    choose(page, *notes[:3])
    wait_until_ready(page, *(sample.name for sample in notes[:3]))
    search(page, "what happens when a worker crashes")
    page.get_by_role("radiogroup", name="Search mode").get_by_text("Meaning").click()
    expect(page).to_have_url(re.compile("mode=semantic"))
    expect(page.get_by_role("main").get_by_role("listitem").first).to_contain_text("Queue decision")


def test_results_follow_the_typing(signed_in):
    page = signed_in
    choose(page, five_kinds()[1])
    wait_until_ready(page, "harvest-notes.txt")
    page.goto("/search")
    box = page.get_by_role("searchbox")
    expect(box).to_be_visible()  # the page listens to keys from here on
    page.keyboard.press("/")
    expect(box).to_be_focused()
    page.keyboard.type("apples")
    expect(page.get_by_role("main").locator("mark").filter(has_text="apples").first).to_be_visible()
    expect(page).to_have_url(re.compile("q=apples"))


@pytest.mark.parametrize("query", ["it's", '"unclosed', "a:b:c (", "🙂", "%_\\", "' OR 1=1 --", "ADR-", "-"])
def test_any_text_is_a_valid_query(signed_in, query):
    page = signed_in
    search(page, query)
    expect(page.get_by_role("main").get_by_role("status").filter(has_text="result")).to_be_visible()


def test_a_bad_file_says_why_and_does_not_stop_the_others(signed_in):
    page = signed_in
    good = five_kinds()[1]
    drop(page, truncated_pdf(), good)
    wait_until_ready(page, good.name)
    row = upload_row(page, "broken.pdf")
    expect(row).to_have_attribute("data-phase", "failed", timeout=60_000)
    expect(row.get_by_role("button", name="Retry broken.pdf")).to_be_visible()
    cause = page.get_by_role("row").filter(has_text="broken").locator("[data-status=error]")
    expect(cause).to_be_visible()
    row.get_by_role("button", name="Retry broken.pdf").click()
    expect(row).to_have_attribute("data-phase", "failed", timeout=60_000)
    row.get_by_role("link").click()
    expect(page.get_by_role("alert")).to_contain_text("The original is stored")
    page.get_by_role("tab", name="Processing").click()
    expect(page.get_by_role("tabpanel").get_by_text("Failed")).not_to_have_count(0)


def test_an_upload_whose_answer_was_lost_is_not_stored_twice(signed_in, complaints):
    complaints.expected("ERR_|Failed to load resource")
    page = signed_in
    lost = []

    def lose_the_first_answer(route):
        if route.request.method != "POST" or lost:
            route.fallback()
            return
        lost.append(route.fetch().status)
        route.abort("connectionreset")

    page.route("**/api/v1/documents", lose_the_first_answer)
    choose(page, five_kinds()[1])
    wait_until_ready(page, "harvest-notes.txt")
    assert lost == [201]
    page.goto("/")
    expect(page.get_by_text("1 document", exact=True)).to_be_visible()


def test_the_same_content_twice_is_pointed_out(signed_in):
    page = signed_in
    sample = five_kinds()[1]
    choose(page, sample)
    wait_until_ready(page, sample.name)
    choose(page, Sample("copy-of-notes.txt", sample.mime, sample.data))
    wait_until_ready(page, "copy-of-notes.txt")
    expect(upload_row(page, "copy-of-notes.txt")).to_contain_text("Same content as an existing document")


def test_a_new_version_replaces_the_text_and_keeps_the_old_file(signed_in):
    page = signed_in
    first = Sample("plan.txt", "text/plain", b"The first plan: walk to the river.")
    second = Sample("plan.txt", "text/plain", b"The second plan: take the train to the coast.")
    choose(page, first)
    wait_until_ready(page, "plan.txt")
    upload_row(page, "plan.txt").get_by_role("link").click()
    page.get_by_role("tab", name="Versions").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("tabpanel").get_by_role("button", name="New version").click()
    chooser.value.set_files([{"name": second.name, "mimeType": second.mime, "buffer": second.data}])
    expect(page.get_by_text("Version 2")).to_be_visible()
    page.get_by_role("tab", name="Text").click()
    expect(page.get_by_role("region", name="Text of the document")).to_contain_text("take the train")
    page.get_by_role("tab", name="Versions").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download version 1").click()
    assert download.value.path().read_bytes() == first.data


def test_what_is_deleted_comes_back_by_undo_and_from_the_trash(signed_in):
    page = signed_in
    choose(page, five_kinds()[1])
    wait_until_ready(page, "harvest-notes.txt")
    row = page.get_by_role("row").filter(has_text="harvest-notes")

    row.get_by_role("button", name="Actions").click()
    page.get_by_role("menuitem", name="Move to trash").click()
    expect(row).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(row).to_be_visible()

    row.get_by_role("checkbox").check()
    page.get_by_role("button", name="Move to trash").click()
    expect(row).to_have_count(0)
    page.get_by_role("navigation").get_by_role("link", name="Trash").click()
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_text("The trash is empty")).to_be_visible()
    page.get_by_role("navigation").get_by_role("link", name="Documents").click()
    expect(row).to_be_visible()


def test_a_title_can_be_changed(signed_in):
    page = signed_in
    choose(page, five_kinds()[1])
    wait_until_ready(page, "harvest-notes.txt")
    upload_row(page, "harvest-notes.txt").get_by_role("link").click()
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Rename").click()
    page.get_by_label("Title").fill("Notes on the harvest")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Notes on the harvest")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Notes on the harvest")).to_be_visible()


def test_an_api_key_is_shown_once_and_works(signed_in, dms):
    import httpx

    page = signed_in
    page.get_by_role("navigation").get_by_role("link", name="API keys").click()
    page.get_by_role("button", name="Create key").click()
    page.get_by_label("Name").fill("Nightly import")
    page.get_by_role("dialog").get_by_role("button", name="Create key").click()
    key = page.get_by_test_id("api-key").inner_text()
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_role("row").filter(has_text="Nightly import")).to_be_visible()
    expect(page.get_by_text(key)).to_have_count(0)
    headers = {"X-API-Key": key}
    assert httpx.get(f"{dms.url}/api/v1/documents", headers=headers).status_code == 200

    page.get_by_role("button", name="Delete key Nightly import").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("row").filter(has_text="Nightly import")).to_have_count(0)
    assert httpx.get(f"{dms.url}/api/v1/documents", headers=headers).status_code == 401


def test_changes_of_one_window_show_in_another(signed_in, context, account):
    page = signed_in
    other = context.new_page()
    other.goto("/sign-in")
    sign_in(other, account)
    expect(other.get_by_text("Drop your first documents here")).to_be_visible()
    choose(page, five_kinds()[0])
    expect(other.get_by_role("row").filter(has_text="Queue decision").locator("[data-status=processed]")).to_be_visible(
        timeout=60_000
    )
    expect(tray(other)).to_have_count(0)


def test_a_pdf_is_shown_in_the_page(signed_in, dms):
    page = signed_in
    sample = five_kinds()[3]
    choose(page, sample)
    wait_until_ready(page, sample.name)
    upload_row(page, sample.name).get_by_role("link").click()
    page.get_by_role("tab", name="Original").click()
    frame = page.locator("iframe[title^='PDF: ']")
    expect(frame).to_have_attribute("src", re.compile("^blob:" + re.escape(dms.url)))
    expect(frame).to_be_visible()
