"""The whole interface held against its OpenAPI document: no server error, nothing that the document does not say."""

from __future__ import annotations

import re
import threading
from typing import Any
from unittest import SkipTest

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
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
EXAMPLES = {GenerationMode.POSITIVE: 5, GenerationMode.NEGATIVE: 3}
MOST_QUERY = 5000  # characters: the server itself ends a request whose address is longer than 64 KiB


def is_twin(operation: Any) -> bool:
    """Whether an operation says for one layer what another says for all."""
    return bool(re.fullmatch(r"/collections/(?!parcels)[a-z_]+/items", operation.path))


def operations(served: Served) -> list[Any]:
    """Every operation of the document that the service hands out."""
    schema = schemathesis.openapi.from_dict(httpx.get(f"{served.url}/openapi.json", timeout=60).json())
    schema.config.update(base_url=served.url)
    return [found.ok() for found in schema.get_all_operations()]


def test_every_operation_answers_as_its_document_says(served_district: Served) -> None:
    failures: list[str] = []
    asked = 0

    def ask(operation: Any, mode: GenerationMode) -> None:
        nonlocal asked

        @settings(
            max_examples=1 if is_twin(operation) else EXAMPLES[mode],
            derandomize=True, deadline=None, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy(generation_mode=mode))
        def examples(case: Any) -> None:
            nonlocal asked
            assume(len(repr(case.query)) < MOST_QUERY)
            asked += 1
            case.call_and_validate(checks=CHECKS, timeout=30)

        examples()

    def ask_all() -> None:
        for operation in operations(served_district):
            if (operation.method.upper(), operation.path) in LEFT_OUT:
                continue
            for mode in EXAMPLES:
                try:
                    ask(operation, mode)
                except (SkipTest, Unsatisfiable):  # nothing can be wrong in what has no parameters but any text
                    assert mode == GenerationMode.NEGATIVE
                except BaseException as error:  # the group of what one operation did wrong
                    failures.append(f"{operation.label}: {error}")

    # A thread of its own: the browser's tests leave an event loop in this one.
    thread = threading.Thread(target=ask_all)
    thread.start()
    thread.join()
    assert not failures, "\n\n".join(failures)
    assert asked > 200
