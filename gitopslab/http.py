"""Sources that answer JSON over HTTP and are no Kubernetes; with clusters, all that imports urllib3.

Only GET is ever sent, to one place, with a bearer token from an environment variable; certificates are
checked against the system's authorities, or those that SSL_CERT_FILE names. A redirect is not followed: the
token is for the place that was configured.
"""

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec
import tenacity
import urllib3

from gitopslab import redaction
from gitopslab.errors import (
    AccessDeniedError,
    BadRequestError,
    BusyError,
    ExpiredError,
    NotServedError,
    SettingsError,
    SourceError,
    UnreachableError,
)
from gitopslab.version import __version__

_MAX_REFUSAL_BYTES = 4 << 10
_MAX_REFUSAL_LENGTH = 200
_SHORTEST_SECRET = 6
_READ_BYTES = 1 << 20
_TOKEN = re.compile(r"[\x21-\x7e]+")

Shape = TypeVar("Shape")


@dataclass(frozen=True)
class Patience:
    """How long to wait, and how often to ask again where nobody answered or the answer was `later`.

    Attributes:
        connect_seconds: For a connection.
        answer_seconds: For more of an answer.
        attempts: Requests in all.
        first_pause_seconds: Before the second one; each pause after it is twice as long.
        longest_pause_seconds: Whatever the source asks for in Retry-After.
        max_answer_bytes: Of an answer, decompressed.
    """

    connect_seconds: float = 10
    answer_seconds: float = 60
    attempts: int = 5
    first_pause_seconds: float = 1
    longest_pause_seconds: float = 60
    max_answer_bytes: int = 256 << 20


@dataclass(frozen=True)
class HttpSource:
    """A source under the name that gitopslab.toml gives it.

    Attributes:
        name: What errors call it, such as `inventory hub`.
        url: What every path is put behind.
        token: Sent as bearer token, unless empty; shown nowhere.
        patience: Timeouts, tries and sizes.
    """

    name: str
    url: str
    token: str = field(default="", repr=False)
    patience: Patience = Patience()
    pool: urllib3.PoolManager = field(default_factory=urllib3.PoolManager, repr=False, compare=False)

    def read(self, path: str = "", query: Mapping[str, str | int] | None = None) -> bytes:
        """Return what is at `path`, asking again while the source is busy or does not answer.

        Raises:
            UnreachableError: Nobody answered, or with more than is read.
            AccessDeniedError: The token is missing, unknown, or may not read it.
            NotServedError: There is nothing at `path`.
            BadRequestError: It does not understand the query.
            BusyError: It asked for a pause each time, or failed.
            SourceError: It answered something else.
        """
        patience = self.patience
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((UnreachableError, BusyError)),
            stop=tenacity.stop_after_attempt(patience.attempts),
            wait=self._pause,
            sleep=time.sleep,
            reraise=True,
        )
        return attempts(self._read_once, path, query or {})

    def read_as(
        self, shape: type[Shape], path: str = "", query: Mapping[str, str | int] | None = None
    ) -> Shape:
        """Return what is at `path`, decoded; errors are those of `read()`.

        Raises:
            UnreachableError: The answer is not JSON of that shape.
        """
        answer = self.read(path, query)
        try:
            return msgspec.json.decode(answer, type=shape)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UnreachableError(
                f"{self._at(path)}: the answer is not the JSON that was asked for"
            ) from error

    def _read_once(self, path: str, query: Mapping[str, str | int]) -> bytes:
        url = self.url + path + (f"?{urlencode(query)}" if query else "")
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": f"gitopslab/{__version__}",
        }
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        timeout = urllib3.Timeout(connect=self.patience.connect_seconds, read=self.patience.answer_seconds)
        try:
            response = self.pool.request(
                "GET",
                url,
                headers=headers,
                timeout=timeout,
                retries=False,
                redirect=False,
                preload_content=False,
            )
            try:
                if response.status == HTTPStatus.OK:
                    return self._whole(response, path)
                body = response.read(_MAX_REFUSAL_BYTES)
            finally:
                response.close()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise UnreachableError(f"{self._at(path)}: no answer: {_reason(error)}") from error
        raise self._refusal(response, body, path)

    def _whole(self, response: urllib3.BaseHTTPResponse, path: str) -> bytes:
        body = bytearray()
        for part in response.stream(_READ_BYTES):
            body += part
            if len(body) > self.patience.max_answer_bytes:
                limit = f"more than {self.patience.max_answer_bytes:,} bytes"
                raise SourceError(f"{self._at(path)}: the answer has {limit}, which are not read")
        return bytes(body)

    def _refusal(  # noqa: PLR0911 - one line a status
        self, response: urllib3.BaseHTTPResponse, body: bytes, path: str
    ) -> SourceError:
        status = response.status
        answered = f"{self._at(path)}: it answered {status}"
        if status == HTTPStatus.UNAUTHORIZED:
            return AccessDeniedError(f"{answered}: the token is missing, unknown or expired")
        if status == HTTPStatus.FORBIDDEN:
            return AccessDeniedError(f"{answered}: let this identity read it")
        if status == HTTPStatus.NOT_FOUND:
            return NotServedError(f"{answered}: nothing is there; look at its url in gitopslab.toml")
        if status == HTTPStatus.GONE:
            return ExpiredError(answered)
        if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}:
            return BadRequestError(f"{answered}: {_excerpt(body, self.token)}")
        if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return BusyError(answered, _seconds(response.headers.get("Retry-After", "")))
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            return SourceError(
                f"{answered}: it redirects, which is not followed; configure where it leads to"
            )
        return SourceError(answered)

    def _pause(self, attempt: tenacity.RetryCallState) -> float:
        error = attempt.outcome.exception() if attempt.outcome else None
        asked = error.retry_after_seconds if isinstance(error, BusyError) else None
        own = self.patience.first_pause_seconds * 2.0 ** (attempt.attempt_number - 1)
        return min(own if asked is None else asked, self.patience.longest_pause_seconds)

    def _at(self, path: str) -> str:
        return f"{self.name}: {path}" if path else self.name


def connect(name: str, url: str, token_variable: str = "", *, patience: Patience | None = None) -> HttpSource:
    """Return the source at `url`; no request is made yet.

    Args:
        name: What errors call it.
        url: Its http or https URL.
        token_variable: Environment variable that holds its bearer token; empty: none is sent.
        patience: Timeouts, tries and sizes.

    Raises:
        SettingsError: The URL is none, or holds credentials; the variable is not set, or holds no token.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsError(f"{name}: its url is none; write https://host/path")
    if "@" in parts.netloc:
        raise SettingsError(f"{name}: its url holds credentials; name a token_variable instead")
    token = _token(name, token_variable) if token_variable else ""
    return HttpSource(name, url.rstrip("/"), token, patience or Patience())


def _token(name: str, variable: str) -> str:
    token = os.environ.get(variable, "").strip()
    if not token:
        raise SettingsError(f"{name}: environment variable {variable} is not set; it holds the bearer token")
    if not _TOKEN.fullmatch(token):
        raise SettingsError(f"{name}: environment variable {variable} holds no token, but several words")
    return token


def _seconds(text: str) -> float | None:
    return float(text) if text.isdecimal() else None


def _excerpt(body: bytes, token: str) -> str:
    """Return the beginning of a refusal on one line, without credentials and the token that was sent."""
    text = body.decode("utf-8", "replace")
    # Between signs, which may come back escaped.
    for part in filter(None, (token, *re.split(r"[^A-Za-z0-9]", token))):
        text = text.replace(part, redaction.HIDDEN) if len(part) >= _SHORTEST_SECRET else text
    text = " ".join(redaction.redact_text(text).split())
    return text[:_MAX_REFUSAL_LENGTH] or "it does not say why"


def _reason(error: Exception) -> str:
    """Return what went wrong, without URLs, which may hold credentials."""
    cause = error.__cause__ or getattr(error, "reason", None) or error
    return type(cause).__name__
