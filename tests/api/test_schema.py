"""The whole interface held against its OpenAPI document: no server error, nothing that the document does not say."""

from __future__ import annotations

import threading
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.district import Served

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
# These take minutes or files of their own, and have tests of their own.
LEFT_OUT = {("POST", "/imports"), ("POST", "/exports")}
EXAMPLES = 12


def operations(served: Served) -> list[Any]:
    """Every operation of the document that the service hands out."""
    schema = schemathesis.openapi.from_dict(httpx.get(f"{served.url}/openapi.json", timeout=60).json())
    schema.config.update(base_url=served.url)
    return [found.ok() for found in schema.get_all_operations()]


def test_every_operation_answers_as_its_document_says(served_district: Served) -> None:
    failures: list[str] = []
    asked = 0

    def ask(operation: Any) -> None:
        nonlocal asked

        @settings(
            max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy())
        def examples(case: Any) -> None:
            nonlocal asked
            asked += 1
            case.call_and_validate(checks=CHECKS, timeout=30)

        examples()

    def ask_all() -> None:
        for operation in operations(served_district):
            if (operation.method.upper(), operation.path) in LEFT_OUT:
                continue
            try:
                ask(operation)
            except BaseException as error:  # the group of what one operation did wrong
                failures.append(f"{operation.label}: {error}")

    # A thread of its own: the browser's tests leave an event loop in this one.
    thread = threading.Thread(target=ask_all)
    thread.start()
    thread.join()
    assert not failures, "\n\n".join(failures)
    assert asked > 300
