"""Requests that schemathesis does not send, since we mean to answer them otherwise than it expects."""

import schemathesis


@schemathesis.hook
def filter_case(context, case):
    # We take null for an absent optional field: some clients send null for what they do not set.
    if isinstance(case.body, dict) and any(value is None for value in case.body.values()):
        return False
    headers = case.headers or {}
    # A client that waits for a moment is answered 503 or 504, as described: a failure to schemathesis.
    if seconds(headers.get("Request-Timeout")) < 30:
        return False
    # A session that there is not is a mistake only beside its cookie, and the token comes first.
    if headers.get("X-Session") not in (None, "shop", "console"):
        return False
    # Such a path is also one of `/ops/sagas/{id}`, whose GET `Allow` has as well.
    if case.method.upper() == "OPTIONS" and case.path in ("/api/v1/ops/sagas/retry", "/api/v1/ops/sagas/compensate"):
        return False
    # It sends 0 for an entity tag and for a date, whatever the pattern of the field says.
    return not any(str(headers.get(name)) == "0" for name in ("If-Match", "If-None-Match", "If-Unmodified-Since"))


def seconds(text):
    """The seconds that a client waits; endless for one that does not say, or sends no number."""
    try:
        return float(text)
    except (TypeError, ValueError):
        return float("inf")
