"""A check of our own: what has the form that the description asks for is not refused for its form. And bytes of tus."""

import schemathesis
from schemathesis.transport.serialization import serialize_binary

FORM = {"body-invalid", "query-invalid", "path-invalid", "not-json", "not-a-form"}


@schemathesis.serializer("application/offset+octet-stream")
def octets(ctx, value):
    return serialize_binary(value)


@schemathesis.check
def form_is_as_described(ctx, response, case):
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if response.headers.get("content-type") != ["application/problem+json"]:
        return
    # The answer to HEAD has no content.
    if not response.content:
        return
    problem = response.json()
    # To JSON Schema 3.0 is an integer; here it is none, and no client writes it.
    if "floating point" in problem["detail"]:
        return
    assert problem["code"] not in FORM, f"{problem['code']} of a request that the description allows"
