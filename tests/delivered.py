"""Rows of the delivery marts, written as the few values that a test is about."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from gitopslab.metrics.stages import COLUMNS
from gitopslab.window import Window

START = datetime(2026, 5, 1, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(days=28))
_TIMES = ("authored_at", "committed_at", "built_at", "pinned_at", "synced_at", "healthy_at", "live_at")


def change(sha: str, lead: float | None = None, **given: Any) -> dict[str, Any]:
    """Return a change to dev, delivered after `lead` seconds, all of them spent waiting for its pin."""
    committed = given.get("committed_at", START)
    healthy = None if lead is None else committed + timedelta(seconds=lead)
    row = {
        "environment": "dev",
        "lane": "promoted",
        "service": "web",
        "sha": sha,
        "kind": "code",
        "subject": f"change {sha}",
        "author_class": "person",
        "committed_at": committed,
        "authored_at": committed,
        "built_at": None,
        "pinned_at": healthy,
        "synced_at": healthy,
        "healthy_at": healthy,
        "live_at": healthy,
        "class": "delivered",
        "class_reason": None,
        "is_superseded": False,
        "confidence": 1.0,
        "waits_for": None,
        "lead_seconds": lead,
        "lead_earliest_seconds": lead,
        "open_seconds": None,
        **dict.fromkeys(COLUMNS, None if lead is None else 0.0),
        "pin_wait_seconds": lead,
    }
    return row | given


def waiting(sha: str, seconds: float, **given: Any) -> dict[str, Any]:
    """Return a change to dev that has waited for its pin for `seconds`."""
    return change(sha, **{"class": "in_flight", "open_seconds": seconds, "waits_for": "pin"} | given)


def changes(*rows: dict[str, Any]) -> pd.DataFrame:
    """Return `rows` as the mart's frame."""
    frame = pd.DataFrame(rows, columns=list(change("x")))
    seconds = [name for name in frame if str(name).endswith("_seconds")]
    times = {name: pd.to_datetime(frame[name], utc=True) for name in _TIMES}
    return frame.assign(**times).astype(dict.fromkeys(seconds, float))


def rollout(sync_id: int, hours: float, **given: Any) -> dict[str, Any]:
    """Return a rollout of dev's `web` that was synced `hours` into the window and did not fail."""
    row = {
        "environment": "dev",
        "application": "web",
        "cluster_uid": "c",
        "uid": "u",
        "sync_id": sync_id,
        "source_sha": f"{sync_id:040d}",
        "synced_at": START + timedelta(hours=hours),
        "failed_at": None,
        "restored_at": None,
        "is_failure": False,
        "is_rollback": False,
    }
    return row | given


def rollouts(*rows: dict[str, Any]) -> pd.DataFrame:
    """Return `rows` as the mart's frame."""
    frame = pd.DataFrame(rows, columns=list(rollout(0, 0)))
    times = {
        name: pd.to_datetime(frame[name], utc=True) for name in ("synced_at", "failed_at", "restored_at")
    }
    return frame.assign(**times)


def operations(*outcomes: str) -> pd.DataFrame:
    """Return sync operations of dev that ended so."""
    rows = [("dev", outcome, 0, False) for outcome in outcomes]
    return pd.DataFrame(rows, columns=["environment", "outcome", "retry_count", "is_dry_run"])
