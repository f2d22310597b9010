"""What the service tells OpenTelemetry about a request, as its SDK exports it."""

import logging
import sys

import pytest

import moverank as mr
from moverank.encoders import WordVectors

testclient = pytest.importorskip("starlette.testclient", reason="starlette is not installed")
for module in ("fastapi", "fastapi_offline", "prometheus_client", "httpx"):
    pytest.importorskip(module, reason=f"{module} is not installed: pip install 'moverank[serve]'")
sdk = pytest.importorskip("opentelemetry.sdk.trace", reason="opentelemetry-sdk is not installed")
from opentelemetry import trace  # noqa: E402
from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: E402
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: E402

from moverank.serve.app import create_app  # noqa: E402
from moverank.serve.options import Options  # noqa: E402

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
RERANK = {"query": "cat", "documents": ["a cat", "a dog"]}


@pytest.fixture
def exporter(monkeypatch):
    """Spans of this test alone; the API lets the provider be set but once."""
    own = InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(own))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    return own


@pytest.fixture
def client(tmp_path):
    index = mr.TextIndex.create(encoder=WordVectors.default(), lexical=None)
    index.add(["a cat", "a dog"])
    index.save(tmp_path / "pets")
    app = create_app(Options(indexes={"pets": tmp_path / "pets"}))
    with testclient.TestClient(app, raise_server_exceptions=False) as own:
        yield own


def only(exporter):
    (span,) = exporter.get_finished_spans()
    exporter.clear()
    return span


def test_a_request_is_a_span(client, exporter):
    found = client.post("/v1/indexes/pets/search", json={"query": "cat"}, headers={"X-Request-Id": "mine"})
    assert found.status_code == 200
    span = only(exporter)
    assert span.name == "POST /v1/indexes/{name}/search"
    assert span.kind is trace.SpanKind.SERVER
    assert span.parent is None
    assert span.instrumentation_scope.name == "moverank"
    facts = dict(span.attributes)
    assert facts["http.request.method"] == "POST"
    assert facts["http.route"] == "/v1/indexes/{name}/search"
    assert facts["http.response.status_code"] == 200
    assert facts["url.path"] == "/v1/indexes/pets/search"
    assert facts["url.scheme"] == "http"
    assert facts["server.address"] == "testserver"
    assert facts["moverank.request.id"] == "mine"
    stages = {name: value for name, value in facts.items() if name.startswith("moverank.seconds.")}
    assert {"moverank.seconds.encode", "moverank.seconds.transport"} <= set(stages)
    assert 0 < sum(stages.values()) < (span.end_time - span.start_time) / 1e9
    assert span.status.status_code is trace.StatusCode.UNSET
    assert not span.events


def test_a_span_belongs_to_the_trace_of_the_client(client, exporter):
    client.post("/rerank", json=RERANK, headers={"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "a=b"})
    span = only(exporter)
    assert f"{span.context.trace_id:032x}" == TRACE
    assert f"{span.parent.span_id:016x}" == PARENT
    assert span.parent.is_remote
    assert span.context.trace_state.get("a") == "b"
    client.post("/rerank", json=RERANK, headers={"traceparent": "nonsense"})
    assert only(exporter).parent is None


def test_a_span_belongs_to_that_of_an_instrumented_server(client, exporter):
    app = client.app

    async def instrumented(scope, receive, send):
        with trace.get_tracer("server").start_as_current_span("outer"):
            await app(scope, receive, send)

    outer = testclient.TestClient(instrumented)
    outer.post("/rerank", json=RERANK, headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert spans["POST /rerank"].parent.span_id == spans["outer"].context.span_id
    assert spans["POST /rerank"].kind is trace.SpanKind.INTERNAL


def test_a_client_that_does_not_sample_has_no_spans(client, exporter):
    assert client.post("/rerank", json=RERANK, headers={"traceparent": f"00-{TRACE}-{PARENT}-00"}).status_code == 200
    assert not exporter.get_finished_spans()


@pytest.mark.parametrize(
    ("path", "body", "status", "name"),
    [
        ("/rerank", {"query": "cat"}, 422, "POST /rerank"),
        ("/v1/indexes/none/search", {"query": "cat"}, 404, "POST /v1/indexes/{name}/search"),
        ("/nothing/at/all", {}, 404, "POST"),
    ],
)
def test_faults_of_clients_are_no_errors(client, exporter, path, body, status, name):
    assert client.post(path, json=body).status_code == status
    span = only(exporter)
    assert (span.name, span.attributes["http.response.status_code"]) == (name, status)
    assert span.status.status_code is trace.StatusCode.UNSET


def test_an_answer_that_is_not_given_is_an_error(client, exporter):
    assert client.post("/rerank", json={**RERANK, "deadline": 1e-9}).status_code == 503
    span = only(exporter)
    assert span.status.status_code is trace.StatusCode.ERROR
    assert span.attributes["error.type"] == "503"


def test_a_fault_of_the_service_is_recorded(client, exporter, monkeypatch, caplog):
    caplog.set_level(logging.CRITICAL)
    monkeypatch.setattr("moverank.serve.reranking.cohere_answer", lambda *_: 1 / 0)
    found = client.post("/rerank", json=RERANK, headers={"X-Request-Id": "mine"})
    assert (found.status_code, found.headers["x-request-id"]) == (500, "mine")
    assert found.json()["error"]["type"] == "InternalServerError"
    span = only(exporter)
    assert span.status.status_code is trace.StatusCode.ERROR
    assert span.attributes["http.response.status_code"] == 500
    (event,) = span.events
    assert event.name == "exception"
    assert event.attributes["exception.type"] == "ZeroDivisionError"


def test_what_an_encoder_does_belongs_to_the_request(client, exporter, monkeypatch):
    inner = WordVectors.encode_queries if hasattr(WordVectors, "encode_queries") else WordVectors.encode

    def told(*args, **options):
        with trace.get_tracer("mine").start_as_current_span("encode"):
            return inner(*args, **options)

    monkeypatch.setattr(WordVectors, inner.__name__, told)
    client.post("/rerank", json=RERANK)
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert spans["encode"].parent.span_id == spans["POST /rerank"].context.span_id


@pytest.mark.parametrize("has_library", [True, False])
def test_without_a_tracer_nothing_is_told(client, monkeypatch, has_library):
    if not has_library:
        monkeypatch.setitem(sys.modules, "opentelemetry", None)
    assert client.post("/rerank", json=RERANK).status_code == 200
