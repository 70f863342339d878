"""Every change is measured, or left out for a reason that is counted."""

from datetime import timedelta

from gitopslab.metrics.waterfall import measured, sentence, waterfall, why
from tests.delivered import START, change, changes, waiting


def left_out(sha: str, kind: str, day: int = 0) -> dict:
    return change(
        sha, committed_at=START + timedelta(days=day), class_reason=f"says {sha}", **{"class": kind}
    )


def test_the_steps_go_from_all_changes_down_to_the_measured_ones():
    steps = waterfall(
        changes(
            change("a", 60.0),
            change("b", 60.0),
            left_out("c", "not_stitched"),
            left_out("d", "not_stitched", day=1),
            left_out("e", "reverted"),
            waiting("f", 60),
        )
    )

    assert [(step.name, step.change_count, step.left_count) for step in steps] == [
        ("not stitched", 2, 4),
        ("reverted", 1, 3),
        ("on their way", 1, 2),
        ("measured", 2, 2),
    ]
    assert (steps[0].example_sha, steps[0].says) == ("d", "says d")
    assert (steps[-1].example_sha, steps[-1].says) == ("b", "")
    assert why(steps[1]) == "a later commit took them back before they were there"
    assert sentence(steps, "dev") == (
        "dev: 33% of 6 changes are measured; 2 not stitched, 1 reverted, 1 on their way."
    )
    assert measured(steps) == "Measured, of the changes that came in: dev 33% of 6."


def test_what_was_healthy_before_it_came_in_is_not_measured():
    untimed, rest = waterfall(changes(change("a"), change("b", 60.0)))

    assert (untimed.name, untimed.example_sha, rest.change_count) == ("clocks disagree", "a", 1)


def test_environments_have_steps_of_their_own():
    steps = waterfall(changes(change("a", 60.0), change("a", 60.0, environment="staging")))

    assert [(step.environment, step.ratio) for step in steps] == [("dev", 1), ("staging", 1)]
    assert sentence(steps, "dev") == "dev: 100% of 1 changes are measured, none is left out."


def test_where_nothing_is_measured_there_is_no_example_of_it():
    *_, rest = waterfall(changes(left_out("c", "reverted")))

    assert (rest.change_count, rest.example_sha) == (0, "")
