"""A real Celery beside ours: its tools see our worker, its producers' tasks are carried out, and what is no task of ours fails visibly."""
import gc
import json
import threading
import time

import celery
import celery.exceptions
import pytest

from conftest import wait_for
from redis_server import Redis
from work import Installation


@pytest.fixture(scope="module")
def redis():
    r = Redis()
    yield r
    r.close()


@pytest.fixture(scope="module")
def dms(redis):
    i = Installation(redis)
    yield i
    i.close()


@pytest.fixture(scope="module")
def app(redis):
    app = celery.Celery("test", broker=redis.url, backend=redis.url)
    app.conf.broker_connection_retry_on_startup = True
    yield app
    gc.collect()  # results talk to Redis when they go: not after it has gone
    app.close()


@pytest.fixture(scope="module")
def node(dms, app):
    names = wait_for(lambda: [n for answer in app.control.ping(timeout=1) for n in answer], 30, "a node to answer")
    assert len(names) == 1
    return names[0]


@pytest.fixture
def inspect(app, node):
    """inspect(method, arguments...): the answer of our worker."""
    asker = app.control.inspect(timeout=10, destination=[node])
    return lambda method, *arguments: getattr(asker, method)(*arguments)[node]


def waiting_job(dms):
    """A document whose job waits and whose message is gone, while the worker is paused: only Celery's message will name it."""
    dms.pause()
    document = dms.upload()
    for key in dms.redis.client.keys("processing*"):
        dms.redis.client.delete(key)
    return document, dms.job(document)["id"]


def send(app, name="dms.document.process", queue="processing", **options):
    return app.send_task(name, queue=queue, **options)


def test_celery_status_and_inspect_see_the_worker(dms, node, inspect):
    assert node.startswith("dms-")
    assert inspect("ping") == {"ok": "pong"}
    assert inspect("registered") == ["dms.document.embed", "dms.document.process"]
    assert [q["name"] for q in inspect("active_queues")] == ["default", "embeddings", "processing"]
    assert inspect("active") == inspect("reserved") == inspect("scheduled") == []
    assert "password" not in json.dumps(inspect("conf")).lower() and dms.redis.url not in json.dumps(inspect("conf"))
    assert inspect("clock")["clock"] > 0
    assert inspect("query_task", ["x"]) == {}
    assert "revoked" in inspect("hello", "celery@elsewhere")


def test_stats_count_tasks(dms, inspect):
    before = inspect("stats")["total"].get("dms.document.process", 0)
    dms.wait(dms.upload())
    assert wait_for(lambda: inspect("stats")["total"].get("dms.document.process", 0) == before + 1, 20, "the count to grow")


def test_a_node_that_is_not_named_stays_silent(dms, app):
    assert app.control.ping(destination=["celery@somebody-else"], timeout=1) == []


def test_an_unknown_method_is_an_error(dms, app):
    answers = app.control.broadcast("pool_shrink", arguments={"n": 1}, reply=True, timeout=2)
    assert list(answers[0].values())[0] == {"error": "not supported by this worker"}


def test_a_celery_producers_task_is_carried_out(dms, app):
    document, job = waiting_job(dms)
    result = send(app, kwargs={"tenant_id": dms.tenant, "job_id": job})
    dms.resume()
    assert result.get(timeout=30) is None
    assert result.state == "SUCCESS"
    assert dms.wait(document)["chunk_count"] == 1
    assert dms.job(document)["attempts"] == 1


def test_a_second_delivery_changes_nothing(dms, app):
    document = dms.upload()
    before = dms.wait(document)
    result = send(app, kwargs={"tenant_id": dms.tenant, "job_id": dms.job(document)["id"]})
    with pytest.raises(RuntimeError, match="does not wait to be done"):
        result.get(timeout=30)
    assert dms.document(document) == before
    assert dms.steps(document).count("done") == 1


@pytest.mark.parametrize("kwargs", [{}, {"tenant_id": "x", "job_id": "y"}, {"tenant_id": None, "job_id": 7}])
def test_a_task_without_its_ids_fails(dms, app, kwargs):
    with pytest.raises(ValueError, match="tenant_id and job_id"):
        send(app, kwargs=kwargs).get(timeout=30)


def test_another_tenants_job_is_unknown(dms, app):
    stranger = dms.server.register()
    document, job = waiting_job(dms)
    result = send(app, kwargs={"tenant_id": stranger.me()["organization"]["id"], "job_id": job})
    dms.resume()
    with pytest.raises(RuntimeError, match="unknown"):
        result.get(timeout=30)
    dms.wait(document)  # by the reconciler, under its own tenant


def test_an_unknown_task_fails_as_in_celery(dms, app):
    with pytest.raises(celery.exceptions.NotRegistered):
        send(app, "docs.unknown").get(timeout=30)


def test_a_chain_fails_visibly(dms, app):
    ids = {"tenant_id": dms.tenant, "job_id": "01890000-0000-7000-8000-000000000001"}
    chain = app.signature("dms.document.process", kwargs=ids, queue="processing") | app.signature("dms.document.embed", queue="embeddings")
    with pytest.raises(NotImplementedError, match="chains"):
        chain.apply_async().parent.get(timeout=30)


def test_an_expired_task_is_revoked(dms, app):
    document, job = waiting_job(dms)
    result = send(app, kwargs={"tenant_id": dms.tenant, "job_id": job}, expires=0.2)
    time.sleep(0.5)  # its time has to pass; nothing tells
    dms.resume()
    with pytest.raises(celery.exceptions.TaskRevokedError):
        result.get(timeout=30)
    dms.wait(document)  # the job itself does not expire


def test_a_task_with_an_eta_waits_for_it(dms, app):
    document, job = waiting_job(dms)
    start = time.time()
    send(app, kwargs={"tenant_id": dms.tenant, "job_id": job}, countdown=4)
    dms.resume()
    dms.wait(document)
    assert time.time() - start >= 4


def test_a_revoked_task_is_cancelled_for_good(dms, app, inspect):
    document, job = waiting_job(dms)
    dms.resume()
    result = app.AsyncResult(job)
    app.control.revoke(job, reply=True, timeout=5)
    wait_for(lambda: job in inspect("revoked"), 10, "the revocation to be known")
    send(app, kwargs={"tenant_id": dms.tenant, "job_id": job}, task_id=job)
    state = wait_for(lambda: dms.job(document)["state"] in ("cancelled", "succeeded") and dms.job(document)["state"], 30, "the job to end")
    if state == "cancelled":  # else the reconciler was faster than the revocation
        assert dms.document(document)["processing_error"]["code"] == "cancelled"
        assert wait_for(lambda: result.state == "REVOKED", 10, "the result")


def test_events_tell_of_the_worker_and_of_tasks(dms, app):
    seen = []
    app.control.enable_events(reply=True, timeout=5)
    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": seen.append})
        listener = threading.Thread(target=lambda: receiver.capture(limit=None, timeout=30, wakeup=True), daemon=True)
        listener.start()
        wait_for(lambda: any(e["type"] == "worker-heartbeat" for e in seen), 20, "a heartbeat")
        document = dms.upload()
        dms.wait(document)
        job = dms.job(document)["id"]
        wait_for(lambda: any(e["type"] == "task-succeeded" and e["uuid"] == job for e in seen), 20, "the end of the task")
        receiver.should_stop = True
    app.control.disable_events(reply=True, timeout=5)
    mine = {e["type"]: e for e in seen if e.get("uuid") == job}
    assert list(mine) == ["task-received", "task-started", "task-succeeded"]
    assert mine["task-received"]["name"] == "dms.document.process"
    assert job in mine["task-received"]["kwargs"]
    assert mine["task-succeeded"]["runtime"] > 0


JUNK = [b"not json", b"{}", b"[]", b"\x80\x04\x95pickle", b'{"body":"W10=","properties":{"delivery_info":{}}}',
        b'{"body":"x","content-type":"application/x-python-serialize","headers":{"task":"t","id":"i"},'
        b'"properties":{"delivery_tag":"pickled","delivery_info":{"exchange":"","routing_key":"processing"}}}',
        b"x" * 70000, b'{"a":' * 2000]


def test_junk_goes_to_the_dead_letters_and_stops_nobody(dms, redis):
    redis.client.delete("dms.dead")
    redis.client.lpush("processing", *JUNK)
    dms.wait(dms.upload())
    wait_for(lambda: redis.client.llen("dms.dead") == len(JUNK), 20, "the dead letters")
    assert redis.client.llen("processing") == 0
    assert redis.client.hexists("unacked", "pickled") is False
    assert max(len(m) for m in redis.client.lrange("dms.dead", 0, -1)) <= 65536


def test_nothing_stays_unacked(dms, redis):
    dms.wait(dms.upload())
    wait_for(lambda: redis.client.hlen("unacked") == 0 and redis.client.zcard("unacked_index") == 0, 20, "all messages to be forgotten")


def test_messages_of_a_dead_worker_are_put_back_as_kombu_does(dms, app, redis):
    """A message as another worker had taken it, hours ago; also from a named exchange, and an entry that nobody can read."""
    document, job = waiting_job(dms)
    result = send(app, kwargs={"tenant_id": dms.tenant, "job_id": job})
    raw = redis.client.rpop("processing").decode()
    tag = json.loads(raw)["properties"]["delivery_tag"]
    redis.client.hset("unacked", tag, json.dumps([json.loads(raw), "", "processing"]))
    redis.client.zadd("unacked_index", {tag: time.time() - 7300})
    redis.client.sadd("_kombu.binding.docs", "key\x06\x16\x06\x16elsewhere")
    redis.client.hset("unacked", "named", json.dumps([json.loads(raw), "docs", "key"]))
    redis.client.zadd("unacked_index", {"named": time.time() - 7300, "fresh": time.time()})
    redis.client.hset("unacked", "fresh", json.dumps([json.loads(raw), "", "processing"]))
    dms.resume()
    wait_for(result.ready, 30, "the message to be put back and obeyed")  # a second delivery by then: the reconciler does not wait for it
    dms.wait(document)
    put_back = json.loads(redis.client.rpop("elsewhere"))
    assert put_back["headers"]["redelivered"] is True
    del put_back["headers"]["redelivered"]
    assert put_back == json.loads(raw)
    assert redis.client.hkeys("unacked") == [b"fresh"], "taken a moment ago: not to be touched"
    redis.client.delete("unacked", "unacked_index")


def test_a_real_celery_worker_reads_our_message(dms, app, redis):
    """Ours, taken off the list as Celery takes it, by Celery's own code."""
    dms.pause()
    document = dms.upload()
    raw = redis.client.lindex("processing\x06\x163", -1)  # the list of priority 3
    got = []
    with app.connection_for_read() as connection:
        redis.client.lpush("foreign", raw)
        consumer = app.amqp.TaskConsumer(connection.channel(), queues=[app.amqp.queues.select_add("foreign")], accept=["json"],
                                         on_message=lambda m: (got.append((m.decode(), m.headers)), m.ack()))
        with consumer:
            connection.drain_events(timeout=10)
    dms.resume()
    (args, kwargs, embed), headers = got[0]
    assert (args, kwargs) == ([], {"tenant_id": dms.tenant, "job_id": dms.job(document)["id"]})
    assert headers["task"] == "dms.document.process" and headers["tenant_id"] == dms.tenant and headers["traceparent"].startswith("00-")
    assert embed == {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    dms.wait(document)
