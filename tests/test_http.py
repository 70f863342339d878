"""JSON over HTTP: asked again where that helps, read up to a limit, and told of without credentials."""

import gzip
import time

import msgspec
import pytest

from gitopslab import http
from gitopslab.errors import (
    AccessDeniedError,
    BadRequestError,
    BusyError,
    NotServedError,
    SettingsError,
    SourceError,
    UnreachableError,
)

from .httpserver import Answer, as_json, serve

QUICK = http.Patience(connect_seconds=2, answer_seconds=0.3, attempts=3, first_pause_seconds=0.01)


class Colour(msgspec.Struct):
    colour: str


def in_turn(*answers: Answer):
    waiting = list(answers)
    return lambda _: waiting.pop(0) if len(waiting) > 1 else waiting[0]


def test_an_answer_is_decoded_and_a_query_is_sent():
    with serve(in_turn(as_json({"colour": "red"}))) as server:
        found = http.connect("paint", server.url, patience=QUICK).read_as(Colour, "/api", {"of": "a b&c"})

    assert found == Colour("red")
    assert (server.asked[0].path, server.asked[0].query) == ("/api", {"of": "a b&c"})


def test_the_bearer_token_comes_from_the_environment_and_shows_nowhere(monkeypatch):
    monkeypatch.setenv("PAINT_TOKEN", "s3cret\n")
    with serve(in_turn(Answer())) as server:
        source = http.connect("paint", server.url, "PAINT_TOKEN")
        source.read()

    assert server.asked[0].headers["Authorization"] == "Bearer s3cret"
    assert "s3cret" not in repr(source)


def test_a_token_that_is_not_there_is_named_by_its_variable(monkeypatch):
    monkeypatch.delenv("PAINT_TOKEN", raising=False)
    with pytest.raises(SettingsError, match="paint: environment variable PAINT_TOKEN is not set"):
        http.connect("paint", "https://paint.example", "PAINT_TOKEN")


def test_a_token_that_no_header_can_hold_is_refused_without_being_shown(monkeypatch):
    monkeypatch.setenv("PAINT_TOKEN", "s3cret\r\nX-Other: 1")
    with pytest.raises(SettingsError) as caught:
        http.connect("paint", "https://paint.example", "PAINT_TOKEN")

    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("url", ["paint.example", "ftp://paint.example", "https:///api"])
def test_what_is_no_url_is_refused(url):
    with pytest.raises(SettingsError, match="write https://host/path"):
        http.connect("paint", url)


def test_a_url_with_credentials_is_refused_without_showing_them():
    with pytest.raises(SettingsError) as caught:
        http.connect("paint", "https://me:hunter2@paint.example")

    assert "hunter2" not in str(caught.value)


def test_a_busy_source_is_asked_again_after_the_pause_it_asks_for():
    busy = Answer(status=429, headers={"Retry-After": "1"})
    began = time.monotonic()
    with serve(in_turn(busy, as_json({"colour": "red"}))) as server:
        http.connect("paint", server.url, patience=QUICK).read()

    assert len(server.asked) == 2
    assert time.monotonic() - began >= 1


def test_a_pause_is_never_longer_than_the_longest():
    impatient = http.Patience(attempts=2, longest_pause_seconds=0.01)
    with serve(in_turn(Answer(status=503, headers={"Retry-After": "3600"}))) as server:
        source = http.connect("paint", server.url, patience=impatient)
        with pytest.raises(BusyError, match="paint: /x: it answered 503"):
            source.read("/x")

    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, AccessDeniedError),
        (403, AccessDeniedError),
        (404, NotServedError),
        (400, BadRequestError),
        (302, SourceError),
    ],
)
def test_what_asking_again_does_not_help_is_asked_once(status, error):
    answer = Answer(status=status, headers={"Location": "http://127.0.0.1:1/"})
    with serve(in_turn(answer)) as server, pytest.raises(error, match=str(status)):
        http.connect("paint", server.url, patience=QUICK).read()

    assert len(server.asked) == 1


def test_a_refusal_says_why_in_one_line_without_credentials():
    body = b"bad query:\n  try https://me:hunter2@host/"
    with serve(in_turn(Answer(body, status=400))) as server, pytest.raises(BadRequestError) as caught:
        http.connect("paint", server.url, patience=QUICK).read()

    assert str(caught.value).startswith("paint: it answered 400: bad query: try https://[redacted]@host/")


@pytest.mark.parametrize("told", ["{}", "no {}: who are you?", '{{"token": "{}"}}'])
def test_a_refusal_that_repeats_the_token_is_told_without_it(monkeypatch, told):
    monkeypatch.setenv("PAINT_TOKEN", "abc/opaque+word")
    for written in ("abc/opaque+word", r"abc\/opaque+word", "abc%2Fopaque%2Bword"):
        answer = Answer(told.format(written).encode(), status=400)
        with serve(in_turn(answer)) as server, pytest.raises(BadRequestError, match="redacted") as caught:
            http.connect("paint", server.url, "PAINT_TOKEN", patience=QUICK).read()
        assert "opaque" not in str(caught.value)


def test_nobody_there_is_unreachable_and_names_no_url():
    with serve(in_turn(Answer())) as server:
        url = server.url
    with pytest.raises(UnreachableError, match="paint: /x: no answer") as caught:
        http.connect("paint", url, patience=QUICK).read("/x", {"token": "s3cret"})

    assert "127.0.0.1" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_an_answer_that_does_not_come_is_given_up():
    def slow(_):
        time.sleep(0.5)
        return Answer()

    with serve(slow) as server, pytest.raises(UnreachableError, match="no answer: TimeoutError"):
        http.connect("paint", server.url, patience=QUICK).read()


def test_an_answer_of_another_shape_is_none():
    with serve(in_turn(Answer(b"<html>"))) as server, pytest.raises(UnreachableError, match="not the JSON"):
        http.connect("paint", server.url, patience=QUICK).read_as(Colour)


def test_more_than_the_limit_is_not_read_however_small_it_came():
    bomb = Answer(gzip.compress(b" " * 10_000_000), headers={"Content-Encoding": "gzip"})
    small = http.Patience(max_answer_bytes=1_000_000)
    with serve(in_turn(bomb)) as server, pytest.raises(SourceError, match="more than 1,000,000 bytes"):
        http.connect("paint", server.url, patience=small).read()
