"""Requests that schemathesis does not send, since we mean to answer them otherwise than it expects."""

import schemathesis


@schemathesis.hook
def filter_case(context, case):
    # We take null for an absent optional field: some clients send null for what they do not set.
    if isinstance(case.body, dict) and any(value is None for value in case.body.values()):
        return False
    # A client that waits for a moment is answered 503 or 504, as described: a failure to schemathesis.
    # A session that there is not is a mistake only beside the cookie of one.
    if any(name in (case.headers or {}) for name in ("Request-Timeout", "X-Session")):
        return False
    # It sends 0 for an entity tag, whatever the pattern of the field says.
    headers = case.headers or {}
    return not any(str(headers.get(name)) == "0" for name in ("If-Match", "If-None-Match"))
