"""Requests made from the server's own schema: no 500, and every reply as the schema says."""

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import CHECKS, load_all_checks

from .conftest import PROGRAM
from .test_load import started

load_all_checks()
KEPT = CHECKS.get_by_names(["status_code_conformance", "content_type_conformance", "response_schema_conformance"])


def examine(url, examples):
    """Ask every operation up to `examples` times; how many requests were sent."""
    schema, sent = schemathesis.openapi.from_url(f"{url}/openapi.json"), 0

    def ask(case):
        nonlocal sent
        sent += 1
        shorten(case)
        reply = case.call(timeout=60)
        assert reply.status_code < 500 or reply.status_code == 501, (case.as_curl_command(), reply.text)
        case.validate_response(reply, checks=KEPT)

    settings = hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    for found in schema.get_all_operations():
        settings(hypothesis.given(case=found.ok().as_strategy())(ask))()
    return sent


def shorten(case):
    """Long replies prove nothing more here."""
    if isinstance(case.body, dict):
        for name in ("max_tokens", "max_completion_tokens", "n"):
            if isinstance(case.body.get(name), int) and case.body[name] > 2:
                case.body[name] = 2


@pytest.fixture
def terse(gguf, tmp_path):
    """A server of short answers: long ones prove nothing more here, and /prompt cannot be told a length."""
    yield from started(gguf, tmp_path, PROGRAM.replace('"max_tokens": 700', '"max_tokens": 4'))


def test_the_schema_is_kept(terse):
    assert examine(terse.url, 8) >= 50


@pytest.mark.soak
def test_ten_thousand_requests_give_no_500(terse):
    assert examine(terse.url, 2000) >= 10_000
