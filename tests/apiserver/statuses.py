"""What the server says instead of what was asked for: Status bodies, as apimachinery makes them."""

from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec

from tests.apiserver.faults import Asked, Fault, Trouble

_USER = "system:serviceaccount:gitopslab:extractor"


class Answer(NamedTuple):
    """A whole answer."""

    code: int
    body: bytes
    content_type: str = "application/json"
    retry_after: str = ""


def status(code: int, reason: str, message: str, **more: Any) -> bytes:
    """Return a Status; `more` are its other fields, such as `details`."""
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return msgspec.json.encode(body | {"message": message, "reason": reason, "code": code} | more)


def not_served() -> Answer:
    return _text(HTTPStatus.NOT_FOUND, "404 page not found")


def not_found(asked: Asked) -> Answer:
    message = f'{asked.resource} "{asked.name}" not found'
    plural, _, group = asked.resource.partition(".")
    details = {"name": asked.name, "group": group, "kind": plural}
    return Answer(HTTPStatus.NOT_FOUND, status(404, "NotFound", message, details=details))


def unauthorized() -> Answer:
    return Answer(HTTPStatus.UNAUTHORIZED, status(401, "Unauthorized", "Unauthorized"))


def forbidden(asked: Asked) -> Answer:
    plural, _, group = asked.resource.partition(".")
    where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    message = (
        f'{asked.resource} is forbidden: User "{_USER}" cannot {asked.verb} resource "{plural}"'
        f' in API group "{group}" {where}'
    )
    details = {"group": group, "kind": plural}
    return Answer(HTTPStatus.FORBIDDEN, status(403, "Forbidden", message, details=details))


def method_not_allowed(method: str) -> Answer:
    message = f"{method} is never expected here: this server is only read"
    return Answer(HTTPStatus.METHOD_NOT_ALLOWED, status(405, "MethodNotAllowed", message))


def invalid(message: str) -> Answer:
    message = f'ListOptions.meta.k8s.io "" is invalid: {message}'
    return Answer(HTTPStatus.UNPROCESSABLE_ENTITY, status(422, "Invalid", message))


def no_version(text: str) -> Answer:
    """Return what a watch from a version says that is none."""
    message = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
    return Answer(HTTPStatus.INTERNAL_SERVER_ERROR, status(500, "", message))


def bad_request(message: str) -> Answer:
    return Answer(HTTPStatus.BAD_REQUEST, status(400, "BadRequest", message))


def expired(message: str, token: str = "") -> Answer:
    """Return the 410 of something compacted; of a list with the token to go on with, inconsistently."""
    metadata = {"continue": token} if token else {}
    return Answer(HTTPStatus.GONE, status(410, "Expired", message, metadata=metadata))


def internal_error(message: str) -> Answer:
    return Answer(HTTPStatus.INTERNAL_SERVER_ERROR, status(500, "InternalError", message))


def too_large_version(wanted: int, current: int) -> Answer:
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    message = f"Timeout: Too large resource version: {wanted}, current: {current}"
    details = {"causes": causes, "retryAfterSeconds": 1}
    body = status(504, "Timeout", message, details=details)
    return Answer(HTTPStatus.GATEWAY_TIMEOUT, body, retry_after="1")


def instead(fault: Fault, asked: Asked) -> Answer:
    """Return what `fault` puts in the place of an answer."""
    throttled = _text(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests, please try again later.")
    answers = {
        Trouble.UNAUTHORIZED: unauthorized(),
        Trouble.FORBIDDEN: forbidden(asked),
        Trouble.NOT_SERVED: not_served(),
        Trouble.EXPIRED: expired("The resourceVersion for the provided watch is too old."),
        Trouble.THROTTLED: throttled._replace(retry_after=str(round(fault.seconds))),
        Trouble.SERVER_ERROR: internal_error("etcdserver: leader changed"),
        Trouble.UNAVAILABLE: _text(HTTPStatus.SERVICE_UNAVAILABLE, "service unavailable"),
        Trouble.HTML: Answer(HTTPStatus.OK, b"<html>log in</html>", "text/html"),
    }
    return answers[fault.trouble]


def _text(code: HTTPStatus, text: str) -> Answer:
    return Answer(code, f"{text}\n".encode(), "text/plain; charset=utf-8")
