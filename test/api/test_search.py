"""Search from the outside: any text is a question, what is shown points at its words, and nothing crosses tenants."""

import pytest

from conftest import wait_for

ODD_QUESTIONS = [
    "o'neil's \"quoted: text\"", "wing -dash", "-dash", "a & b | !c <-> d:* ()", "\\", "'", "'; DROP SCHEMA kw CASCADE; --", "%s %n $1 {}", "the of and",
    "🙂", "é ü 翼", "x" * 3000, "lift drag " * 300, "a\u0000b".replace("\u0000", " "), "ADR-018:", "---", "\ue000a\ue001", "<script>alert(1)</script>", "NULL",
    "\u202eabc", "*", "?", "''", "\"", "to be or not to be",
]


@pytest.fixture(scope="module")
def library(dms):
    """A client whose organization holds a few documents that differ."""
    client = dms.register()
    texts = {
        "ADR-017.md": "# ADR-017: Use PostgreSQL\n\nPostgreSQL keeps the truth. This record supersedes ADR 18 of the old series, and ADR 018 as well.\n",
        "ADR-018.md": "# ADR-018: Use Redis\n\nRedis carries messages between processes. Losing it loses nothing.\n",
        "wing.txt": "The lift of a wing in a slipstream was measured at several angles of attack. The boundary layer was turbulent.",
        "cooking.txt": "Boil the potatoes in salted water until they are soft, then mash them with butter and warm milk.",
        "größe.txt": "Die Größe der Flügel 🙂 bestimmt den Auftrieb; naïve Annahmen über Größen führen in die Irre.",
        "long.txt": "Nothing to see here. " * 300 + "In the very middle stands the word chrysanthemum and goes on. " + "Nothing to see here either. " * 300,
    }
    client.ids = {}
    for name, text in texts.items():
        client.ids[name] = client.upload(text, name=name, tags="notes,letters" if name == "cooking.txt" else "notes")["id"]
    for i in client.ids.values():
        client.wait_processed(i)
    yield client
    client.close()


def names(answer):
    return [item["name"] for item in answer["items"]]


def leg(answer, name):
    return next(x for x in answer["legs"] if x["name"] == name)


def test_the_answer_has_the_agreed_shape(library):
    answer = library.search("lift of a wing", explain=True)
    item = answer["items"][0]
    assert item["document_id"] == library.ids["wing.txt"] and item["title"] and item["version"] == 1
    assert set(item["ranks"]) == {"keyword", "vector", "graph"} and item["ranks"]["keyword"] == 1
    assert item["score"] == pytest.approx(sum(1 / (60 + r) for r in item["ranks"].values() if r), abs=1e-5)
    assert answer["total"] >= 1 and answer["took_ms"] > 0 and answer["next_cursor"] is None
    assert [x["name"] for x in answer["legs"]] == ["keyword", "vector"]
    assert leg(answer, "keyword")["state"] == "ok" and leg(answer, "keyword")["exact"] is True


def test_highlights_are_code_points_of_the_snippet(library):
    for query, name, wanted in (("wing slipstream", "wing.txt", {"wing", "slipstream"}), ("Größe Flügel", "größe.txt", {"Größe", "Flügel"}),
                                ("boundary layer", "wing.txt", {"boundary", "layer"}), ("adr-018", "ADR-018.md", {"ADR", "018"})):
        item = next(i for i in library.search(query, mode="keyword")["items"] if i["name"] == name)
        marked = {"".join(list(item["snippet"])[start:end]) for start, end in item["highlights"]}
        assert wanted <= marked, (query, item["snippet"], marked)


def test_the_snippet_shows_where_the_word_stands(library):
    item = library.search("chrysanthemum", mode="keyword")["items"][0]
    assert "chrysanthemum" in item["snippet"] and len(item["snippet"]) <= 282
    assert item["highlights"] and item["snippet"].startswith("…")
    plain = library.search("chrysanthemum", mode="keyword", highlight=False)["items"][0]
    assert plain["highlights"] == []


def test_an_exact_code_comes_first_in_every_mode_that_reads_words(library):
    for mode in ("hybrid", "keyword"):
        for query in ("ADR-018", "adr-018", "What does ADR-018 say about losing messages?"):
            answer = library.search(query, mode=mode)
            assert names(answer)[0] == "ADR-018.md", (mode, query)
            scores = [i["score"] for i in answer["items"]]
            assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("mode", ["hybrid", "keyword", "semantic"])
@pytest.mark.parametrize("query", ODD_QUESTIONS)
def test_any_text_is_a_question(library, query, mode):
    answer = library.search(query, mode=mode)
    assert all(x["state"] in ("ok", "skipped") for x in answer["legs"])


def test_a_leading_dash_excludes_nothing(library):
    assert "wing.txt" in names(library.search("-wing", mode="keyword"))
    assert "wing.txt" in names(library.search("slipstream -wing", mode="keyword"))


def test_meaning_is_found_without_a_common_word(library):
    answer = library.search("recipe for preparing vegetables", mode="semantic")
    assert leg(answer, "vector")["state"] == "ok"
    assert names(answer)[0] == "cooking.txt"
    assert answer["items"][0]["ranks"]["keyword"] is None


@pytest.mark.parametrize("body, field", [
    ({}, "query"), ({"query": ""}, "query"), ({"query": " \t\n\u00a0"}, "query"), ({"query": 5}, "query"), ({"query": "x" * 5000}, "query"),
    ({"query": "x", "mode": "magic"}, "mode"), ({"query": "x", "limit": 0}, "limit"), ({"query": "x", "limit": 101}, "limit"),
    ({"query": "x", "limit": "5"}, "limit"), ({"query": "x", "cursor": "AAAA"}, "cursor"), ({"query": "x", "unknown": 1}, "unknown"),
    ({"query": "x", "filters": {"colour": "red"}}, "colour"), ({"query": "x", "filters": []}, "filters"),
    ({"query": "x", "filters": {"folder_id": "no"}}, "folder_id"), ({"query": "x", "filters": {"created_from": "2026-02-31"}}, "created_from"),
    ({"query": "x", "filters": {"status": "deleted"}}, "status"), ({"query": "x", "filters": {"tags": "a"}}, "tags"),
    ({"query": "x", "highlight": "yes"}, "highlight"),
])
def test_what_is_wrong_is_named(library, body, field):
    answer = library.post("/search", json=body)
    assert answer.status_code == 400 and answer.json()["code"] == "validation_error"
    assert field in [e["field"] for e in answer.json()["errors"]] or field == answer.json().get("field"), answer.text


def test_get_and_the_alias_answer_as_post_does(library):
    a = library.search("lift of a wing")
    b = library.ok("GET", "/search", params={"q": "lift of a wing"})
    c = library.ok("POST", "/documents/search", json={"query": "lift of a wing"})
    assert names(a) == names(b) == names(c)
    assert library.get("/search").status_code == 400
    assert library.get("/search", params={"q": "x", "mode": "magic"}).status_code == 400


def test_pages_follow_one_another_without_gap_or_repeat(library):
    whole = library.search("adr wing potatoes größe chrysanthemum", limit=100)
    seen, cursor = [], None
    while True:
        page = library.search("adr wing potatoes größe chrysanthemum", limit=2, **({"cursor": cursor} if cursor else {}))
        seen += [i["document_id"] for i in page["items"]]
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert seen == [i["document_id"] for i in whole["items"]] and len(seen) == whole["total"]
    page = library.search("adr wing", limit=1)
    other = library.post("/search", json={"query": "another question", "cursor": page["next_cursor"]})
    assert other.status_code == 400


def test_filters_and_facets(library):
    answer = library.search("potatoes", filters={"tags": ["letters"]}, facets=True)
    assert names(answer) == ["cooking.txt"]
    assert {"value": "letters", "count": 1} in answer["facets"]["tags"]
    assert names(library.search("potatoes", filters={"tags": ["nothing"]})) == []
    assert names(library.search("potatoes", filters={"document_id": library.ids["wing.txt"]}, mode="keyword")) == []
    assert names(library.search("potatoes", filters={"created_to": "2001-01-01"})) == []
    assert "cooking.txt" in names(library.search("potatoes", filters={"created_from": "2001-01-01T00:00:00+02:00", "mime_type": "text/plain"}))
    assert "facets" not in library.search("potatoes")


def test_what_is_in_the_trash_is_not_found_until_it_is_back(library):
    document = library.upload_processed("A text about marmosets.", name="marmoset.txt")
    assert "marmoset.txt" in names(library.search("marmosets", mode="keyword"))
    library.ok("DELETE", f"/documents/{document['id']}")
    for mode in ("hybrid", "keyword", "semantic"):
        assert "marmoset.txt" not in names(library.search("marmosets", mode=mode))
    library.ok("POST", f"/documents/{document['id']}/restore")
    assert names(library.search("marmosets"))[0] == "marmoset.txt"


def test_another_organizations_documents_are_never_found(dms, library):
    stranger = dms.register()
    for mode in ("hybrid", "keyword", "semantic"):
        answer = stranger.search("ADR-018 wing potatoes", mode=mode)
        assert answer["items"] == [] and answer["total"] == 0
        assert stranger.search("x", mode=mode, filters={"document_id": library.ids["wing.txt"]})["items"] == []
    stranger.close()


def test_without_a_credential_or_the_permission_nothing_is_answered(dms, library):
    with dms.http() as http:
        assert http.post("/api/v1/search", json={"query": "x"}).status_code == 401
    key = library.api_key(["document.read"])
    assert key.post("/search", json={}).status_code == 403  # before the body is looked at
    key.close()
    key = library.api_key(["search.query"])
    assert names(key.search("slipstream"))[0] == "wing.txt"
    key.close()


def test_without_a_model_words_still_find(start_dms):
    dms = start_dms("--embed-provider", "none")
    client = dms.register()
    client.upload_processed("A text about marmosets.", name="marmoset.txt")
    answer = client.search("marmosets")
    assert names(answer) == ["marmoset.txt"]
    assert leg(answer, "vector")["state"] == "skipped" and leg(answer, "vector")["note"]
    assert client.post("/search", json={"query": "marmosets", "mode": "semantic"}).status_code == 503
    client.close()


def test_a_large_tenant_is_searched_by_hnsw_and_a_small_filter_by_comparing_all(start_dms):
    dms = start_dms("--search-exact-rows", "100")
    client = dms.register()
    topics = ["bridges", "violins", "glaciers", "bakeries", "satellites", "orchids"]
    ids = {}
    for i in range(180):
        topic = topics[i % 6]
        text = f"Report {i} about {topic}. The {topic} of region {i} were counted again and described."
        ids[client.upload(text, name=f"report-{i}.txt", tags=f"{topic},group{i % 20}")["id"]] = topic
    for i in ids:
        client.wait_processed(i)

    def by_hnsw():  # the tenant's size is known once the worker has counted
        answer = client.search("flowers that grow on trees", mode="semantic", explain=True)
        return answer if leg(answer, "vector")["plan"] == "hnsw" else None

    answer = wait_for(by_hnsw, 20, "the vector leg to use HNSW")
    assert [ids[item["document_id"]] for item in answer["items"][:5]] == ["orchids"] * 5
    assert len(answer["items"]) == 20 and len({item["document_id"] for item in answer["items"]}) == 20
    answer = client.search("orchids", filters={"tags": ["group5"]}, explain=True)
    assert leg(answer, "vector")["plan"] == "all" and leg(answer, "keyword")["plan"] == "all"
    assert len(answer["items"]) == 9 and ids[answer["items"][0]["document_id"]] == "orchids"
    answer = client.search("report", mode="keyword", explain=True, limit=100)
    assert leg(answer, "keyword")["plan"] == "bm25" and leg(answer, "keyword")["exact"] and len(answer["items"]) == 100
    for i, topic in ids.items():  # nearly everything goes to the trash: what is left is still found
        if topic != "violins":
            client.ok("DELETE", f"/documents/{i}")
    for mode in ("keyword", "semantic", "hybrid"):
        found = client.search("report about bridges and violins", mode=mode, limit=100)
        assert {ids[item["document_id"]] for item in found["items"]} == {"violins"} and found["total"] == 30, mode
    client.close()
