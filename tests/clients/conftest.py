"""Other people's clients against a running service. tools/serve-clients makes the environments and starts the service.

Nothing of moverank is imported, so that these libraries need not agree with ours. The service is told by MOVERANK_URL,
and its token by MOVERANK_TOKEN.
"""

import itertools
import json
import os
import urllib.request

import pytest

# Libraries that would ask the network for prices, or tell it that they are used.
os.environ |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "HAYSTACK_TELEMETRY_ENABLED": "False", "DO_NOT_TRACK": "1"}

QUERY = "who plays music outside?"
TEXTS = [
    "Shares fell on Tuesday.",
    "A man performs songs on a street corner.",
    "zzqqx",
    "The dog slept on the couch.",
    "Ein Mann singt \N{EM DASH} \N{MUSICAL SCORE} \N{MAN}\N{ZERO WIDTH JOINER}\N{MICROPHONE}",
]
BEST = 1


@pytest.fixture(scope="session")
def url():
    """Where the service is."""
    if "MOVERANK_URL" not in os.environ:
        pytest.skip("MOVERANK_URL is not set; tools/serve-clients sets it to a service")
    return os.environ["MOVERANK_URL"].rstrip("/")


@pytest.fixture(scope="session")
def token(url):
    """The token that the service wants."""
    if "MOVERANK_TOKEN" not in os.environ:
        pytest.skip("MOVERANK_TOKEN is not set; the service is expected to want one")
    return os.environ["MOVERANK_TOKEN"]


@pytest.fixture(scope="session")
def expected(url, token):
    """Places and scores as the service answers a request that no library has made, the best first."""
    body = json.dumps({"query": QUERY, "documents": TEXTS}).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    with urllib.request.urlopen(urllib.request.Request(f"{url}/rerank", body, headers), timeout=30) as answer:
        results = json.load(answer)["results"]
    ranked = [(one["index"], one["relevance_score"]) for one in results]
    assert ranked[0][0] == BEST
    assert sorted(place for place, _ in ranked) == list(range(len(TEXTS)))
    assert all(0 <= score <= 1 for _, score in ranked)
    assert all(score >= after for (_, score), (_, after) in itertools.pairwise(ranked))
    return ranked


@pytest.fixture
def ranked_as(expected):
    """Check that places and scores are those of the service, the best first."""

    def check(found, most=None):
        found = list(found)
        assert [place for place, _ in found] == [place for place, _ in expected[:most]]
        assert [score for _, score in found] == pytest.approx([score for _, score in expected[:most]])

    return check
