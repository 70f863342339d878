-- Stages out of order: one row a change that passed a stage of its lane more than a minute before the one it follows.
--
-- grain: repository, sha, service, environment, earlier_stage, later_stage
-- reads: stage_inversions
-- params: since, until
--
-- Within a minute clocks may explain it, see clocks_disagree; beyond it a link is wrong, or somebody went another
-- way: pinned by hand what a failed run had pushed, say, so that the build is a later one's.

SELECT
    repository,
    sha,
    service,
    environment,
    earlier_stage,
    later_stage,
    repository || ' ' || substr(sha, 1, 12) AS subject,
    later_at AS found_at,
    later_stage || ' ' || CAST(inversion_seconds AS VARCHAR) || ' s before ' || earlier_stage AS message
FROM stage_inversions
WHERE inversion_seconds > 60 AND committed_at >= $since AND committed_at < $until
