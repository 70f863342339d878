"""What a decision says and does, of few literal limits."""

import pytest

from gitopslab.capacity.decision import Action, Decision, Guard, Limit, decide

GUARD = Guard("stop", "go back")
QUALITY = Limit("quality", 45, "a knee may be there")
LOST = Limit("quality lost", 50, "a tenth of the resolved is lost there", is_shown=True)


def decided(asked: int, current: int, *limits: Limit, **rest) -> Decision:
    return decide(asked, current, limits, guard=GUARD, **rest)


def test_a_raise_goes_a_step_at_a_time():
    found = decided(48, 40, Limit("quota", 72, "known"), Limit("nodes", 60, "known"))

    assert (found.action, found.to, found.is_supported) == (Action.RAISE, 48, True)
    assert str(found) == ("Raise from 40 to 48. Nothing known speaks against it.")
    assert str(decided(60, 40, Limit("quota", 72, "known"))) == (
        "Raise from 40 to 48, and look before the next step. All 60 at once are supported, in steps of 8."
    )


def test_a_raise_stops_at_the_least_limit_and_says_which():
    found = decided(50, 40, Limit("quota", 72, "known"), QUALITY)

    assert (found.action, found.to, found.is_supported) == (Action.RAISE, 45, False)
    assert str(found) == (
        "Raise from 40 to 45, and no further."
        " 50 at once is not shown to be safe: no more than 45 go by quality."
    )
    assert found.reasons == ("At most 45 by quality: a knee may be there.",)


def test_what_is_not_known_to_be_safe_holds_and_what_is_shown_to_harm_lowers():
    assert decided(60, 50, QUALITY).action is Action.HOLD
    assert decided(60, 50, QUALITY).to == 50
    lowered = decided(60, 56, QUALITY, LOST)
    assert (lowered.action, lowered.to) == (Action.LOWER, 50)


KNEE = Limit("quality", 9, "it may be there", beyond="a tenth is lost from 9 on")
NODES = Limit("room on nodes, each pod on one", 2, "of one node", is_shown=True)
BLOCKED = ["launch stability: fail; it was rolled out just now."]


@pytest.mark.parametrize(
    ("asked", "current", "limits", "rest", "says"),
    [
        (25, 25, [], {}, "Hold at 25. Nothing known speaks against it."),
        (
            50,
            50,
            [KNEE],
            {},
            "Hold at 50. 50 at once is not shown to be safe: a tenth is lost from 9 on.",
        ),
        (
            3,
            2,
            [NODES],
            {},
            "Hold at 2. 3 at once is not supported: no more than 2 go by room on nodes, each pod on one.",
        ),
        (
            48,
            40,
            [],
            {"blockers": BLOCKED},
            "Hold at 40 for now. 48 at once has to wait: launch stability: fail; it was rolled out just now.",
        ),
        (
            200,
            40,
            [LOST],
            {},
            (
                "Raise from 40 to 48, and look before the next step."
                " 200 at once is not supported: no more than 50 go by quality lost."
            ),
        ),
        (
            60,
            56,
            [QUALITY, LOST],
            {},
            "Lower from 56 to 50: no more than 50 go by quality lost. 60 at once is not supported.",
        ),
        (30, 40, [QUALITY], {}, "Lower from 40 to 30, as asked. Nothing known speaks against it."),
        (
            12,
            50,
            [KNEE],
            {},
            "Lower from 50 to 12, as asked. 12 at once is not shown to be safe: a tenth is lost from 9 on.",
        ),
    ],
)
def test_a_decision_says_what_to_do_first_and_then_what_comes_of_what_was_asked_for(
    asked, current, limits, rest, says
):
    assert str(decided(asked, current, *limits, **rest)) == says


def test_what_was_carried_may_stay_though_it_is_not_shown_to_be_safe():
    assert decided(50, 50, KNEE).reasons[-1] == (
        "50 at once was carried, and nothing shows that it does harm: it may stay."
    )


def test_where_harm_begins_below_what_runs_by_the_best_estimate_the_careful_choice_is_said():
    likely = Limit("quality", 9, "it may be there", likely=43.5)
    assert decided(50, 50, likely).reasons[-1] == (
        "50 at once was carried. By the best estimate harm begins at 43.5 already, which is not sure enough"
        " to lower it; 43 is the careful choice."
    )
    assert decided(50, 40, likely).reasons[-1].endswith("it may stay.")


def test_who_asks_for_fewer_gets_fewer():
    found = decided(30, 40, QUALITY)

    assert (found.action, found.to, found.is_supported) == (Action.LOWER, 30, True)


def test_a_blocker_holds_a_raise_and_nothing_else():
    blockers = ["pressure: fail; the last launch was stopped."]
    assert decided(48, 40, blockers=blockers).action is Action.HOLD
    assert not decided(48, 40, blockers=blockers).is_supported
    assert decided(40, 40, blockers=blockers).is_supported


def test_nothing_is_recommended_while_inputs_are_stale():
    found = decided(48, 40, QUALITY, withheld=["Sessions end 40 d ago."])

    assert (found.action, found.to, found.is_supported) == (Action.WITHHELD, 40, False)
    assert str(found) == "No recommendation for 48 at once. Sessions end 40 d ago."


def test_a_step_is_a_fifth_and_never_nothing():
    assert decided(100, 3).to == 4
    assert decided(100, 50).to == 60
    assert decided(100, 50, step_share=0.5).to == 75
