from datetime import UTC, datetime, timedelta

import pytest

from gitopslab.errors import UsageError
from gitopslab.window import Window, parse_time

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-05-01", datetime(2026, 5, 1, tzinfo=UTC)),
        ("2026-05-01T12:00:00Z", NOON),
        ("2026-05-01T12:00:00", NOON),
        ("2026-05-01T14:00:00+02:00", NOON),
        ("36h", NOON - timedelta(hours=36)),
        ("2w", NOON - timedelta(weeks=2)),
    ],
)
def test_a_time_is_an_instant_in_utc(text, instant):
    assert parse_time(text, as_of=NOON) == instant
    assert parse_time(text, as_of=NOON).utcoffset() == timedelta(0)


@pytest.mark.parametrize("text", ["tomorrow", "", "14", "2026-13-01", "1.5d", "-3d"])
def test_what_is_no_time_is_refused_with_what_would_be_right(text):
    with pytest.raises(UsageError, match=r"is not a time; write 2026-05-01, .*such as 14d"):
        parse_time(text, as_of=NOON)


def test_a_length_needs_something_to_count_from():
    with pytest.raises(UsageError, match=r"'14d' counts back from as_of, and none is given"):
        parse_time("14d")


def test_a_window_may_start_a_length_before_its_end():
    window = Window.parse("14d", "2026-05-15")

    assert window.since == datetime(2026, 5, 1, tzinfo=UTC)
    assert window.days == 14
    assert str(window) == "2026-05-01 00:00 to 2026-05-15 00:00 UTC"


def test_a_window_that_ends_before_it_starts_is_refused():
    with pytest.raises(UsageError, match="since 2026-05-02 is not before 2026-05-01"):
        Window.parse("2026-05-02", "2026-05-01")
