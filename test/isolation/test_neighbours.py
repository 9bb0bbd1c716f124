"""What one organization asks for does not keep others waiting: lists that look at all documents have a way to the database of their own, with
room for a few of each organization."""
import concurrent.futures
import os
import signal

from conftest import wait_for

SLOW_PER_TENANT = 2


def test_slow_lists_wait_for_one_another_and_nobody_else_does(start_dms):
    server = start_dms(env={"DMS_SLOW_PER_TENANT": str(SLOW_PER_TENANT), "DMS_EMBED_PROVIDER": "none"})
    with server.register() as heavy, server.register() as light, server.database() as db, concurrent.futures.ThreadPoolExecutor(8) as pool:
        document = light.upload("light")["id"]
        heavy.upload("heavy")
        (backend,) = db.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'dms slow lists'").fetchone()
        os.kill(backend, signal.SIGSTOP)  # a list that takes long
        try:
            asked = [pool.submit(heavy.get, "/documents?" + what) for what in ("sort=title", "count=true", "trashed=true", "sort=-size")]
            refused = wait_for(lambda: [f for f in asked if f.done()][SLOW_PER_TENANT - 1:], 10, "those over the limit to be answered")
            others = pool.submit(light.get, "/documents?sort=title")
            for client, path in ((light, f"/documents/{document}"), (light, "/documents"), (heavy, "/documents")):
                assert client.get(path).status_code == 200, "a page does not wait"
            assert all(f.result().status_code == 429 and f.result().json()["code"] == "rate_limited" and "Retry-After" in f.result().headers
                       for f in refused + [f for f in asked if f.done()])
            assert sum(f.done() for f in asked) == len(asked) - SLOW_PER_TENANT and not others.done()
        finally:
            os.kill(backend, signal.SIGCONT)
        assert sorted(f.result().status_code for f in asked) == [200, 200, 429, 429] and others.result().status_code == 200


def test_a_slow_list_that_takes_too_long_is_given_up(start_dms):
    server = start_dms(env={"DMS_SLOW_TIMEOUT_MS": "300", "DMS_EMBED_PROVIDER": "none"})
    with server.register() as client, server.database() as db:
        db.autocommit = False
        db.execute("LOCK TABLE document IN ACCESS EXCLUSIVE MODE")
        answer = client.get("/documents?sort=title")
        assert answer.status_code == 503 and answer.json()["code"] == "unavailable"
        db.rollback()
        assert client.get("/documents?sort=title").status_code == 200
