-- Prediction outcomes as of a time: one row a prediction that was over by then, with what came of it.
--
-- grain: cluster, model, concurrency, predicted_at
-- reads: prediction_outcomes
-- params: as_of, cluster, model
--
-- Newest first; an empty $cluster or $model is all of them. One whose time is not over is not judged.

SELECT
    cluster,
    model,
    concurrency,
    predicted_at,
    until,
    action,
    recommended_concurrency,
    binding,
    throughput,
    throughput_low,
    throughput_high,
    resolved_ratio,
    resolved_ratio_low,
    resolved_ratio_high,
    wait_p90_seconds,
    actual_hours,
    actual_throughput,
    actual_answered_count,
    actual_resolved_ratio,
    is_throughput_inside,
    is_resolved_ratio_inside
FROM prediction_outcomes
WHERE until <= $as_of AND ($cluster = '' OR cluster = $cluster) AND ($model = '' OR model = $model)
ORDER BY predicted_at DESC, concurrency
