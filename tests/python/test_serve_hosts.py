"""Pages of others that have their name lead to this machine cannot call the service."""

import pytest

from serving import served

httpx = pytest.importorskip("httpx", reason="httpx is not installed")
for module in ("fastapi", "fastapi_offline", "uvicorn", "prometheus_client"):
    pytest.importorskip(module, reason=f"{module} is not installed: pip install 'moverank[serve]'")

from moverank.serve.hosts import is_local, is_name, is_one_of  # noqa: E402
from moverank.serve.options import Options  # noqa: E402

RERANK = {"query": "cat", "documents": ["a cat"]}


def status(url, host, path="/rerank"):
    if path != "/rerank":
        return httpx.get(url + path, headers={"Host": host}).status_code
    return httpx.post(url + path, json=RERANK, headers={"Host": host}).status_code


def test_a_service_for_this_machine_answers_to_its_names_alone():
    with served("--allow-host", "search.example.org", "--allow-host", "*.example.net") as own:
        for host in ("localhost", "LOCALHOST:8080", "127.0.0.1:1", "127.0.0.2", "[::1]:80", "localhost.",
                     "Search.example.org:443", "a.b.example.net"):  # fmt: skip
            assert status(own.url, host) == 200, host
        for host in ("evil.org", "evil.org:8080", "localhost.evil.org", "127.0.0.1.evil.org", "example.net", "",
                     "notexample.net", "search.example.org.evil.org", "10.0.0.1", "[::2]"):  # fmt: skip
            assert status(own.url, host) == 403, host
        assert status(own.url, "10.0.0.1", "/health/live") == 200  # orchestrators ask by any address
        found = httpx.get(f"{own.url}/v1/measures", headers={"Host": "evil.org"})
        assert "--allow-host" in found.json()["message"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [((), 403), (("--allow-host", "*"), 200), (("--host", "0.0.0.0"), 200), (("--token-file", "token"), 401),
     (("--host", "0.0.0.0", "--allow-host", "example.org"), 403)],
)  # fmt: skip
def test_names_are_asked_for_where_no_token_is(options, expected, tmp_path):
    (tmp_path / "token").write_text("s3cret")
    with served(*options, cwd=tmp_path) as own:
        assert status(own.url.replace("0.0.0.0", "127.0.0.1"), "evil.org") == expected


def test_hosts_are_told_apart():
    assert all(map(is_local, ("localhost", "127.0.0.1", "127.9.9.9", "::1")))
    assert not any(map(is_local, ("0.0.0.0", "::", "example.org", "127.0.0.1.example.org", "")))
    assert all(map(is_name, ("a", "a.b-c.d", "*.example.org", "10.0.0.1", "::1")))
    assert not any(map(is_name, ("", "*", "a*", "http://a", "a:80", "[::1]", "a..b", "a b")))
    assert not is_one_of("localhost", ("example.org",))
    with pytest.raises(ValueError, match="hosts: expected a name or an address without a port, got 'a:80'"):
        Options(hosts=("a:80",))
    options = Options(hosts=("a", "b"))
    assert Options.from_text(options.as_text()) == options
