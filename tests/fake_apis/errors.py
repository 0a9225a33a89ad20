"""`Refusal`: why a request gets an error instead of a reply."""

KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    503: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class Refusal(Exception):  # noqa: N818 - what the API does, not a fault of ours
    """A request that gets an error instead of a reply."""

    def __init__(self, message, status=400):
        super().__init__(message)
        self.message = message
        self.status = status

    @property
    def kind(self):
        return KINDS[self.status]


def claude_error(refusal, request_id):
    """An error in the form of the Messages API."""
    error = {"type": refusal.kind, "message": refusal.message}
    return {"type": "error", "error": error, "request_id": request_id}


def chat_error(refusal):
    """An error in the form of the chat completions API."""
    return {
        "error": {"message": refusal.message, "type": refusal.kind, "param": None, "code": None}
    }
