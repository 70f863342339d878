"""What queue_use says a queue could reserve more is what the cohort tree of Kueue's scheduler says."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from gitopslab import database, queries
from gitopslab.capacity.cohort_tree import CohortTree, Quota

AMOUNTS = st.integers(0, 9)
QUEUES = st.lists(
    st.tuples(
        AMOUNTS, st.none() | AMOUNTS, st.none() | AMOUNTS, AMOUNTS, st.sampled_from(["root", "child", None])
    ),
    min_size=1,
    max_size=4,
)
TABLES = """
CREATE OR REPLACE TABLE queue_quota_intervals (
    cluster VARCHAR, cluster_uid VARCHAR, uid VARCHAR, cohort VARCHAR, flavor VARCHAR, resource VARCHAR,
    since TIMESTAMPTZ, until TIMESTAMPTZ, nominal_quota DECIMAL(38, 9), limit_total DECIMAL(38, 9),
    lendable_total DECIMAL(38, 9)
);
CREATE OR REPLACE TABLE queue_usage_intervals (
    cluster VARCHAR, cluster_uid VARCHAR, cluster_queue VARCHAR, uid VARCHAR,
    flavor VARCHAR, resource VARCHAR,
    since TIMESTAMPTZ, until TIMESTAMPTZ, last_observed_at TIMESTAMPTZ,
    reserved_total DECIMAL(38, 9), used_total DECIMAL(38, 9)
);
CREATE OR REPLACE TABLE cohorts AS
SELECT * FROM (VALUES ('k', 'root', NULL, 'root'), ('k', 'child', 'root', 'root'))
AS row(cluster_uid, cohort, parent_cohort, root_cohort);
CREATE OR REPLACE TABLE cohort_quotas AS
SELECT 'k' AS cluster_uid, 'root' AS cohort, NULL::VARCHAR AS parent_cohort, 'root' AS root_cohort,
    'f' AS flavor, 'cpu' AS resource, 2::DECIMAL(38, 9) AS nominal_quota, false AS is_borrowing_unlimited,
    false AS is_lending_unlimited;
"""


@given(QUEUES)
@settings(max_examples=40, deadline=None)
def test_it_agrees_with_the_cohort_tree(rows):
    quotas = {
        f"q{number}": Quota(
            Decimal(nominal),
            None if borrow is None else Decimal(borrow),
            None if lend is None else Decimal(lend),
            cohort,
        )
        for number, (nominal, borrow, lend, _, cohort) in enumerate(rows)
    }
    tree = CohortTree(quotas, {"root": Quota(Decimal(2)), "child": Quota(parent="root")})
    with database.memory() as db:
        db.execute(TABLES)
        for number, (nominal, borrow, lend, used, cohort) in enumerate(rows):
            name = f"q{number}"
            tree.take(name, Decimal(used))
            limit = nominal if cohort is None else None if borrow is None else nominal + borrow
            lendable = 0 if cohort is None else nominal if lend is None else min(lend, nominal)
            db.execute(
                "INSERT INTO queue_quota_intervals VALUES"
                " ('k', 'k', $1, $2, 'f', 'cpu', '2026-05-04', NULL, $3, $4, $5)",
                [name, cohort, nominal, limit, lendable],
            )
            db.execute(
                "INSERT INTO queue_usage_intervals VALUES"
                " ('k', 'k', $1, $1, 'f', 'cpu', '2026-05-04', NULL, '2026-05-04', $2, $2)",
                [name, used],
            )
        found = dict(
            db.execute(f"SELECT uid, available_total FROM ({queries.query('queue_use').sql})").fetchall()
        )

    assert found == {name: tree.available(name) for name in quotas}
