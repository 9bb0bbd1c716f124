"""Fixtures of the HTTP library's own tests."""
import pytest
import raw


@pytest.fixture(scope="module")
def server():
    """With the limits that people get."""
    s = raw.Server()
    yield s
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
