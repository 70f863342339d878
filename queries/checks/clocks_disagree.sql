-- Clocks that disagree: one row two stages of an environment that came in the wrong order, by a minute at most.
--
-- grain: environment, earlier_stage, later_stage
-- reads: stage_inversions
-- params: since, until
--
-- The times of a change's stages are by the clocks of forge, builder, hydrator and cluster. Where a later stage is
-- up to a minute before the one it follows, durations between the two are off by that much, and count as 0.
-- `found_at` is when it happened last.

SELECT
    environment,
    earlier_stage,
    later_stage,
    CAST(NULL AS VARCHAR) AS service,
    earlier_stage || ' and ' || later_stage AS subject,
    max(later_at) AS found_at,
    CAST(count(*) AS VARCHAR) || ' changes, by up to ' || CAST(max(inversion_seconds) AS VARCHAR) || ' s' AS message
FROM stage_inversions
WHERE inversion_seconds <= 60 AND committed_at >= $since AND committed_at < $until
GROUP BY environment, earlier_stage, later_stage
