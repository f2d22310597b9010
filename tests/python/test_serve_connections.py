"""Clients that send no request, or take no answer, are cut off, under both of uvicorn's readers of HTTP; others not."""

import asyncio
import socket
import threading
import time

import pytest

from serving import served

httpx = pytest.importorskip("httpx", reason="httpx is not installed")
uvicorn = pytest.importorskip("uvicorn", reason="uvicorn is not installed: pip install 'moverank[serve]'")
for module in ("fastapi", "fastapi_offline", "prometheus_client", "h11", "httptools"):
    pytest.importorskip(module, reason=f"{module} is not installed: pip install 'moverank[serve]'")
from uvicorn.protocols.http.h11_impl import H11Protocol  # noqa: E402
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol  # noqa: E402

from moverank.serve.connections import Impatient  # noqa: E402

SECONDS = 0.6
LARGE = 1 << 25
HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"


async def application(scope, receive, send):
    """Answers after a while; longer than a head may take."""
    if scope["type"] == "lifespan":
        scope["state"]["deadline"] = SECONDS
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await asyncio.sleep(2 * SECONDS if scope["path"] == "/slow" else 0)
    body = b"x" * LARGE if scope["path"] == "/large" else b"ok"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module", params=[H11Protocol, HttpToolsProtocol])
def server(request):
    protocol = type("Limited", (Impatient, request.param), {})
    server = uvicorn.Server(uvicorn.Config(application, port=0, http=protocol, lifespan="on", log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def port(server):
    return server.servers[0].sockets[0].getsockname()[1]


def connected(port):
    own = socket.create_connection(("127.0.0.1", port))
    own.settimeout(30)
    return own


def until_closed(own):
    """Seconds until the server closes a connection, and what it has sent."""
    began, found = time.monotonic(), b""
    while more := own.recv(4096):
        found += more
    return time.monotonic() - began, found


@pytest.mark.parametrize("sent", [b"", b"GE", HEAD])
def test_a_connection_without_a_request_is_closed(port, sent):
    with connected(port) as own:
        own.sendall(sent)
        seconds, found = until_closed(own)
    assert SECONDS / 2 < seconds < SECONDS + 5
    assert found == b""


def test_parts_of_a_head_gain_no_time(port):
    with connected(port) as own:
        own.sendall(HEAD)
        began = time.monotonic()
        is_open = True
        while is_open and time.monotonic() - began < SECONDS + 10:
            time.sleep(0.05)
            try:
                own.sendall(b"X: y\r\n")
            except OSError:
                is_open = False
    assert not is_open


def test_a_request_has_its_own_time(port):
    with connected(port) as own:
        own.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert until_closed(own)[1].endswith(b"ok")


def test_a_connection_is_used_again_and_closed_if_nothing_comes(port):
    with connected(port) as own:
        for _ in range(3):
            own.sendall(HEAD + b"\r\n")
            assert own.recv(4096).endswith(b"ok")
            time.sleep(1.2 * SECONDS)  # less than uvicorn lets pass between two requests
        own.sendall(HEAD)
        seconds, found = until_closed(own)
    assert SECONDS / 2 < seconds < SECONDS + 5
    assert found == b""


def test_requests_that_come_together_are_all_answered(port):
    with connected(port) as own:
        own.sendall((HEAD + b"\r\n") * 2 + HEAD + b"Connection: close\r\n\r\n")
        assert until_closed(own)[1].count(b"\r\n\r\nok") == 3


def asked_for_much(port):
    """A connection on which a large answer comes, of which little fits on the way."""
    own = socket.socket()
    own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    own.settimeout(30)
    own.connect(("127.0.0.1", port))
    own.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    return own


def until_none_is_left(server, seconds):
    end = time.monotonic() + seconds
    while server.server_state.connections and time.monotonic() < end:
        time.sleep(0.02)
    return not server.server_state.connections


@pytest.mark.parametrize("kept", [b"", b"Connection: close\r\n"], ids=["connection is kept", "connection is closed"])
def test_clients_that_take_no_answer_are_cut_off(server, port, kept):
    clients = [asked_for_much(port) for _ in range(5)]
    for _ in range(2):
        own = connected(port)
        own.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n" + kept + b"\r\n")
        clients.append(own)
    while len(server.server_state.connections) < len(clients):
        time.sleep(0.01)
    assert until_none_is_left(server, SECONDS + 10)
    for own in clients:
        own.close()


def test_clients_that_take_little_at_a_time_are_cut_off(server, port):
    with asked_for_much(port) as own:
        end = time.monotonic() + 10 * SECONDS + 10
        own.recv(1000)
        while server.server_state.connections and time.monotonic() < end:
            own.recv(1000)
            time.sleep(0.02)
        assert not server.server_state.connections


def test_clients_that_are_slow_get_all(server, port):
    with asked_for_much(port) as own:
        found, began = 0, time.monotonic()
        while more := own.recv(1 << 20):
            found += len(more)
            # Four deadlines for all of it.
            time.sleep(max(0.0, began + 4 * SECONDS * found / LARGE - time.monotonic()))
    assert found > LARGE
    assert time.monotonic() - began > 3 * SECONDS
    assert until_none_is_left(server, 5)


def test_the_service_closes_silent_connections():
    with served("--deadline", "1") as own:
        host, port = own.url.removeprefix("http://").split(":")
        silent = [socket.create_connection((host, int(port))) for _ in range(100)]
        assert httpx.get(f"{own.url}/health").status_code == 200
        for one in silent:
            one.settimeout(30)
            assert one.recv(1) == b""
            one.close()
