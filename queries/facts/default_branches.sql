-- Default branches: one row a repository and the branch that people merge to.
--
-- grain: repository
-- reads: branch_commits, configured_environment
-- params:
--
-- Of the branches that are followed and no environment's, `main`, `master`, `trunk`, or else the longest one.

WITH tip AS (
    SELECT repository, branch, max(position) AS tip_position
    FROM branch_commits
    GROUP BY repository, branch
),

environment_branch AS (
    SELECT branch FROM configured_environment WHERE branch <> ''
    UNION
    SELECT branch || '-next' FROM configured_environment WHERE branch <> ''
)

SELECT tip.repository, tip.branch, tip.tip_position
FROM tip
LEFT JOIN environment_branch ON environment_branch.branch = tip.branch
WHERE environment_branch.branch IS NULL
QUALIFY row_number() OVER (
    PARTITION BY tip.repository
    ORDER BY
        CASE tip.branch WHEN 'main' THEN 1 WHEN 'master' THEN 2 WHEN 'trunk' THEN 3 ELSE 4 END,
        tip.tip_position DESC,
        tip.branch
) = 1
