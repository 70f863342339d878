from datetime import timedelta

import pytest

from gitopslab.capacity.decision import Action
from gitopslab.capacity.plan import plan

from .planned import NOW, evidence, sessions


def look(api_group: str, resource: str, days: float) -> dict:
    looked_at = NOW - timedelta(days=days)
    return {
        "cluster": "dev",
        "api_group": api_group,
        "resource": resource,
        "first_looked_at": looked_at - timedelta(days=9),
        "last_looked_at": looked_at,
    }


@pytest.mark.parametrize(
    ("api_group", "resource"),
    [("kueue.x-k8s.io", "clusterqueues"), ("", "nodes"), ("", "pods"), ("apps", "deployments")],
)
def test_what_binds_and_was_last_looked_at_too_long_ago_stops_the_recommendation(api_group, resource):
    stale = plan(evidence(sessions=sessions(200), looks=(look(api_group, resource, days=15),)))
    recent = plan(evidence(sessions=sessions(200), looks=(look(api_group, resource, days=13),)))

    assert stale.freshness.reasons == (
        f"Looks at {resource} of dev end at 2026-05-14 00:00 UTC, 15 d ago; at most 14 d is allowed.",
    )
    assert stale.decision.action == Action.WITHHELD
    assert any(stale.freshness.reasons[0] in reason for reason in stale.decision.reasons)
    assert not recent.freshness.is_withheld


def test_what_nothing_binds_by_may_be_old():
    found = plan(evidence(sessions=sessions(200), looks=(look("argoproj.io", "applications", days=90),)))

    assert not found.freshness.is_withheld
