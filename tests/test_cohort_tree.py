import json
from decimal import Decimal
from pathlib import Path

import pytest

from gitopslab.capacity.cohort_tree import CohortTree, Quota
from gitopslab.errors import UsageError

ORACLE = Path(__file__).parents[1].parent / "shared" / "data" / "oracles" / "kueue_capacity_oracle.json"


def quota(
    nominal: int, *, borrowing: int | None = None, lending: int | None = None, parent: str | None = None
) -> Quota:
    limits = (None if limit is None else Decimal(limit) for limit in (borrowing, lending))
    return Quota(Decimal(nominal), *limits, parent)


def test_a_queue_without_a_cohort_has_only_its_own_quota():
    tree = CohortTree({"alone": quota(10)})
    tree.take("alone", Decimal(4))
    assert (tree.available("alone"), tree.potential("alone")) == (6, 10)


def test_a_queue_without_a_limit_may_borrow_all_that_its_cohort_has_left():
    tree = CohortTree({"a": quota(10, parent="team"), "b": quota(6, parent="team")})
    tree.take("b", Decimal(2))
    assert tree.available("a") == 14
    tree.take("a", Decimal(13))
    assert (tree.borrowed("a"), tree.available("b")) == (3, 1)


def test_a_borrowing_limit_counts_beyond_the_own_quota():
    tree = CohortTree({"a": quota(10, borrowing=2, parent="team"), "b": quota(20, parent="team")})
    assert (tree.available("a"), tree.potential("a")) == (12, 12)


def test_what_a_queue_does_not_lend_is_kept_for_it():
    tree = CohortTree({"a": quota(10, parent="team"), "sealed": quota(4, lending=0, parent="team")})
    tree.take("a", Decimal(10))
    assert (tree.available("a"), tree.available("sealed")) == (0, 4)


def test_what_is_given_back_is_there_again():
    tree = CohortTree({"a": quota(10, parent="team"), "b": quota(10, lending=3, parent="team")})
    tree.take("b", Decimal("9.5"))
    tree.take("b", Decimal("-9.5"))
    assert tree.available("a") == 13


def test_quota_of_a_cohort_reaches_queues_of_the_cohorts_below_it():
    tree = CohortTree(
        {"a": quota(1, parent="left")}, {"left": quota(0, parent="root"), "root": quota(8, borrowing=None)}
    )
    assert tree.available("a") == 9


def test_a_cohort_that_is_its_own_ancestor_is_refused():
    with pytest.raises(UsageError, match="is its own ancestor"):
        CohortTree({}, {"a": quota(0, parent="b"), "b": quota(0, parent="a")})


@pytest.mark.skipif(not ORACLE.is_file(), reason="Kueue's own expectations lie beside the repository only")
def test_quota_is_reckoned_as_kueues_own_tests_expect():
    cases = json.loads(ORACLE.read_text())
    assert len(cases) == 9
    for case in cases:
        tree = CohortTree(*({name: _from_oracle(row) for name, row in case[key].items()} for key in _LEVELS))
        for queue, amount in case["usage"].items():
            tree.take(queue, Decimal(amount))
        available = {queue: tree.available(queue) for queue in case["want_available"]}
        potential = {queue: tree.potential(queue) for queue in case["want_potential"]}
        assert (available, potential) == (case["want_available"], case["want_potential"]), case["name"]


_LEVELS = ("clusterQueues", "cohorts")


def _from_oracle(row: dict) -> Quota:
    return quota(
        row["nominal"] or 0, borrowing=row["borrowing"], lending=row["lending"], parent=row["parent"]
    )
