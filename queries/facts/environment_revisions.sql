-- Environment revisions: one row a commit that proposes or makes the state of an environment, and its dry commit.
--
-- grain: environment, stage, revision, config_position
-- reads: hydrated_commits, branch_commits, default_branches, git_commit, configured_environment, configured_repository
-- params:
--
-- `stage` is `hydrate` on the branch that proposes, `promote` on the active branch, `commit` in a lane without
-- either, where the config repository's own branch is what is synced.
-- `config_position` is the dry commit's place on the branch it comes from: a revision holds every config commit
-- up to it. `rule` says who names the dry commit: the `metadata` in the revision's tree, a `note` that tells of a
-- hydration that changed no manifest, or nobody, where it is the `same` commit.
-- `happened_at` is a committer time: of the hydrated commit or its note, of the commit that moved the active branch.

WITH line AS (
    SELECT branch_commits.repository, branch_commits.sha, branch_commits.position
    FROM branch_commits
    JOIN default_branches
        ON default_branches.repository = branch_commits.repository AND default_branches.branch = branch_commits.branch
    WHERE branch_commits.is_on_line
)

SELECT
    hydrated.environment,
    CASE hydrated.side WHEN 'active' THEN 'promote' ELSE 'hydrate' END AS stage,
    hydrated.repository,
    hydrated.sha AS revision,
    hydrated.dry_sha,
    line.position AS config_position,
    hydrated.said_by AS rule,
    hydrated.hydrated_at AS happened_at
FROM hydrated_commits AS hydrated
JOIN line ON line.repository = hydrated.repository AND line.sha = hydrated.dry_sha
UNION ALL
SELECT
    environment.environment,
    'commit',
    line.repository,
    line.sha,
    line.sha,
    line.position,
    'same',
    git_commit.committed_at
FROM line
JOIN git_commit ON git_commit.repository = line.repository AND git_commit.sha = line.sha
JOIN configured_repository AS repository ON repository.repository = line.repository AND repository.role = 'config'
JOIN configured_environment AS environment ON environment.branch = ''
