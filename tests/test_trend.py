"""How the lead time goes with time, and what was changed when it did."""

from datetime import timedelta

from gitopslab.metrics import trend
from gitopslab.metrics.durations import Bootstrap
from tests.delivered import START, WINDOW, change, changes, waiting


def daily(*lengths: float) -> list[dict]:
    """Return a change every twelve hours, that take as many minutes."""
    return [
        change(f"{place:040d}", 60 * length, committed_at=START + timedelta(hours=12 * place))
        for place, length in enumerate(lengths)
    ]


def test_a_stretch_with_few_changes_has_no_estimate_but_its_changes():
    points = trend.trend(changes(*daily(*[5] * 14, 7, 9), waiting("x", 60)), WINDOW, Bootstrap(1, 100))

    assert [(point.since, point.duration.n, point.duration.open_count) for point in points] == [
        (START, 14, 1),
        (START + timedelta(days=7), 2, 0),
    ]
    assert points[0].duration.quantile(0.5).seconds == 300
    assert points[1].duration.few == (420, 540)


def test_a_lasting_change_has_its_date_and_the_nearest_configuration_change_before_it():
    lengths = [5, 6, 5, 7, 6, 5, 6, 5, 7, 6, 5, 6, 5, 7, 6, 5, 6, 5, 7, 6]
    rows = daily(*lengths, *(length * 10 for length in lengths))
    slower_at = START + timedelta(days=10)
    config = change(
        "c" * 40,
        1.0,
        environment="hub",
        kind="config",
        service="promoter-config",
        subject="soak an hour",
        committed_at=slower_at - timedelta(hours=3),
    )
    [shift] = trend.shifts(changes(*rows), changes(*rows, config), WINDOW, seed=1)

    assert shift.change.at == slower_at
    assert (round(shift.change.before), round(shift.change.after)) == (360, 3_600)
    assert shift.nearest.sha == "c" * 40
    assert "nearest configuration change, promoter-config in hub (cccccccccccc: soak an hour)" in str(shift)
    assert str(shift).endswith("One arrives every 28 d, so that may be chance.")


def test_without_a_configuration_change_near_it_that_is_said():
    rows = daily(*[5, 6, 7, 6] * 5, *[50, 60, 70, 60] * 5)
    [shift] = trend.shifts(changes(*rows), changes(*rows), WINDOW, seed=1)

    assert str(shift).endswith("no configuration change arrived in the two days before.")


def test_what_only_wavers_has_no_lasting_change():
    assert trend.shifts(changes(*daily(*[5, 6, 7, 6] * 10)), changes(), WINDOW, seed=1) == []
