"""Fixtures of the HTTP library's own tests."""
import pytest
import raw


@pytest.fixture(scope="module")
def server():
    """With the limits that people get. At the end of a file's tests no connection and no descriptor may be left of them."""
    s = raw.Server()
    before = s.descriptors()
    yield s
    raw.wait_for(lambda: s.counts()["connections"] == 1, 15, "connections to end")
    raw.wait_for(lambda: s.descriptors() <= before + 1, 5, "descriptors to be closed")
    s.close()


@pytest.fixture
def start():
    """start(**options): a server of the test's own."""
    servers = []

    def make(**options):
        servers.append(raw.Server(**options))
        return servers[-1]

    yield make
    for s in reversed(servers):
        s.close()
