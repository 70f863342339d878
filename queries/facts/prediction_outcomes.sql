-- Prediction outcomes: one row a prediction that a plan logged, beside what happened while it held.
--
-- grain: cluster, model, concurrency, predicted_at
-- reads: benchmark_sessions, prediction
-- params:
--
-- What happened is looked at where about as many sessions of the model were in flight as were predicted for, within
-- a tenth: `actual_hours` is for how long, `actual_throughput` the sessions completed then by those hours. The
-- resolved share is of answered instances whose last session began in such a time. Where nobody tried, all of it
-- is NULL. `is_..._inside` is whether it lies in the interval predicted, give or take what chance makes of so few
-- (90 %: 1.645 standard errors of a count, and of a share); NULL where one of them is not known.

WITH prediction_span AS (
    SELECT DISTINCT cluster, model, concurrency, predicted_at, until FROM prediction
),

change AS (
    SELECT cluster, model, started_at AS changed_at, 1 AS amount, 0 AS completed
    FROM benchmark_sessions
    WHERE model IS NOT NULL AND (ended_at IS NULL OR ended_at > started_at)
    UNION ALL
    SELECT cluster, model, ended_at AS changed_at, -1 AS amount, CASE WHEN is_completed THEN 1 ELSE 0 END AS completed
    FROM benchmark_sessions
    WHERE model IS NOT NULL AND ended_at > started_at
),

moment AS (
    SELECT cluster, model, changed_at, sum(amount) AS amount, sum(completed) AS completed
    FROM change
    GROUP BY cluster, model, changed_at
),

step AS (
    SELECT
        cluster,
        model,
        changed_at AS since,
        lead(changed_at) OVER in_order AS until,
        sum(amount) OVER in_order AS in_flight,
        lead(completed) OVER in_order AS completed_at_end
    FROM moment
    WINDOW in_order AS (PARTITION BY cluster, model ORDER BY changed_at)
),

tried AS (
    SELECT
        prediction_span.cluster,
        prediction_span.model,
        prediction_span.concurrency,
        prediction_span.predicted_at,
        sum(epoch(step.until) - epoch(step.since)) / 3600 AS hours,
        sum(step.completed_at_end) AS completed_count
    FROM prediction_span
    JOIN step
        ON prediction_span.cluster = step.cluster
        AND prediction_span.model = step.model
        AND step.since >= prediction_span.predicted_at
        AND step.until <= prediction_span.until
    WHERE
        step.in_flight >= 0.9 * prediction_span.concurrency
        AND step.in_flight <= 1.1 * prediction_span.concurrency
    GROUP BY
        prediction_span.cluster, prediction_span.model, prediction_span.concurrency, prediction_span.predicted_at
),

answered AS (
    SELECT
        prediction_span.cluster,
        prediction_span.model,
        prediction_span.concurrency,
        prediction_span.predicted_at,
        count(*) AS answered_count,
        sum(CASE WHEN session.evaluation_status = 'resolved' THEN 1 ELSE 0 END) AS resolved_count
    FROM prediction_span
    JOIN step
        ON prediction_span.cluster = step.cluster
        AND prediction_span.model = step.model
        AND step.since >= prediction_span.predicted_at
        AND step.since < prediction_span.until
    JOIN benchmark_sessions AS session
        ON step.cluster = session.cluster
        AND step.model = session.model
        AND step.since = session.started_at
    WHERE
        session.is_last
        AND session.inference_status = 'inferred'
        AND session.evaluation_status IN ('resolved', 'unresolved', 'empty_patch')
        AND session.evaluation_error IS NULL
        AND step.in_flight >= 0.9 * prediction_span.concurrency
        AND step.in_flight <= 1.1 * prediction_span.concurrency
    GROUP BY
        prediction_span.cluster, prediction_span.model, prediction_span.concurrency, prediction_span.predicted_at
),

outcome AS (
    SELECT
        prediction.*,
        tried.hours AS actual_hours,
        CAST(tried.completed_count AS BIGINT) AS actual_completed_count,
        tried.completed_count / nullif(tried.hours, 0) AS actual_throughput,
        answered.answered_count AS actual_answered_count,
        answered.resolved_count / nullif(answered.answered_count, 0) AS actual_resolved_ratio,
        1.645 * sqrt(tried.completed_count) / nullif(tried.hours, 0) AS throughput_chance,
        1.645 * sqrt(
            CAST(answered.resolved_count AS DOUBLE) * (answered.answered_count - answered.resolved_count)
            / nullif(answered.answered_count, 0)
        ) / nullif(answered.answered_count, 0) AS resolved_ratio_chance
    FROM prediction
    LEFT JOIN tried
        ON prediction.cluster = tried.cluster
        AND prediction.model = tried.model
        AND prediction.concurrency = tried.concurrency
        AND prediction.predicted_at = tried.predicted_at
    LEFT JOIN answered
        ON prediction.cluster = answered.cluster
        AND prediction.model = answered.model
        AND prediction.concurrency = answered.concurrency
        AND prediction.predicted_at = answered.predicted_at
)

SELECT
    cluster,
    model,
    concurrency,
    predicted_at,
    until,
    action,
    current_concurrency,
    recommended_concurrency,
    is_supported,
    binding,
    throughput,
    throughput_low,
    throughput_high,
    resolved_ratio,
    resolved_ratio_low,
    resolved_ratio_high,
    wait_p50_seconds,
    wait_p90_seconds,
    wait_p99_seconds,
    actual_hours,
    actual_completed_count,
    actual_throughput,
    actual_answered_count,
    actual_resolved_ratio,
    actual_throughput + throughput_chance >= throughput_low
    AND actual_throughput - throughput_chance <= throughput_high AS is_throughput_inside,
    actual_resolved_ratio + resolved_ratio_chance >= resolved_ratio_low
    AND actual_resolved_ratio - resolved_ratio_chance <= resolved_ratio_high AS is_resolved_ratio_inside
FROM outcome
