-- Prediction outcomes: one row a prediction that a plan logged, beside what happened while it held.
--
-- grain: cluster, model, concurrency, predicted_at
-- reads: benchmark_sessions, prediction
-- params:
--
-- What happened is told by sessions of the model, begun and over while the prediction held, that had about as many
-- in flight as were predicted for, within a tenth, on average over as long from their start as a completed session of
-- the model usually takes. (Not over their own lives: those that outlive the others see these end, and would be
-- missing. Nor is what ended in times with so many a measure: a run's sessions begin together, so at first none does.)
-- `actual_throughput` is the turns that so many slots do in an hour by the turns of a completed session, less the share
-- of all time that went to sessions which completed nothing: so neither longer tasks nor failures, which come at any
-- concurrency, pass for a slowdown. `actual_hours` is the time of those sessions by the concurrency predicted for. The
-- resolved share is of answered instances. Where nobody tried, all of it is NULL.
-- `is_..._inside` is whether it lies in the interval predicted, widened on each side by what chance makes of what
-- happened (root of the sum of squares): by run, as ratio estimates have it (Cochran 1977), and at least by single
-- sessions; 90 % of throughput, 95 % of the share, as predicted. NULL where one of them is not known, or fewer than
-- five sessions tell.

WITH session AS (
    SELECT
        cluster,
        model,
        benchmark_run_id,
        started_at,
        ended_at,
        epoch(started_at) AS begins,
        epoch(ended_at) AS ends,
        epoch(ended_at) - epoch(started_at) AS seconds,
        is_completed,
        CASE WHEN is_completed AND turn_count > 0 THEN turn_count END AS turn_count,
        is_last
            AND inference_status = 'inferred'
            AND evaluation_status IN ('resolved', 'unresolved', 'empty_patch')
            AND evaluation_error IS NULL AS is_answered,
        evaluation_status = 'resolved' AS is_resolved
    FROM benchmark_sessions
    WHERE model IS NOT NULL AND (ended_at IS NULL OR ended_at > started_at)
),

pace AS (
    SELECT cluster, model, avg(seconds) AS usual_seconds
    FROM session
    WHERE is_completed
    GROUP BY cluster, model
),

lasting AS (
    SELECT session.*, session.begins + pace.usual_seconds AS usually_ends, pace.usual_seconds
    FROM session
    JOIN pace ON session.cluster = pace.cluster AND session.model = pace.model
),

change AS (
    SELECT cluster, model, begins AS changes, 1 AS amount FROM lasting
    UNION ALL
    SELECT cluster, model, ends AS changes, -1 AS amount FROM lasting WHERE ends IS NOT NULL
    UNION ALL
    SELECT cluster, model, usually_ends AS changes, 0 AS amount FROM lasting
),

moment AS (
    SELECT cluster, model, changes, sum(amount) AS amount
    FROM change
    GROUP BY cluster, model, changes
),

step AS (
    SELECT
        cluster,
        model,
        changes,
        sum(amount) OVER in_order AS in_flight,
        lead(changes) OVER in_order - changes AS seconds
    FROM moment
    WINDOW in_order AS (PARTITION BY cluster, model ORDER BY changes)
),

flight AS (
    SELECT
        cluster,
        model,
        changes,
        coalesce(
            sum(in_flight * seconds) OVER (
                PARTITION BY cluster, model ORDER BY changes ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ),
            0
        ) AS session_seconds
    FROM step
),

placed AS (
    SELECT
        lasting.*,
        (usual.session_seconds - first.session_seconds) / lasting.usual_seconds AS concurrency
    FROM lasting
    JOIN flight AS first
        ON lasting.cluster = first.cluster AND lasting.model = first.model AND lasting.begins = first.changes
    JOIN flight AS usual
        ON lasting.cluster = usual.cluster AND lasting.model = usual.model AND lasting.usually_ends = usual.changes
),

judged AS (
    SELECT
        prediction.cluster,
        prediction.model,
        prediction.concurrency,
        prediction.predicted_at,
        placed.benchmark_run_id,
        placed.seconds,
        placed.is_completed,
        placed.turn_count,
        placed.is_answered,
        placed.is_resolved,
        placed.concurrency >= 0.9 * prediction.concurrency
        AND placed.concurrency <= 1.1 * prediction.concurrency AS is_near
    FROM prediction
    JOIN placed
        ON prediction.cluster = placed.cluster
        AND prediction.model = placed.model
        AND placed.started_at >= prediction.predicted_at
        AND placed.ended_at <= prediction.until
),

run AS (
    SELECT
        cluster,
        model,
        concurrency,
        predicted_at,
        benchmark_run_id,
        sum(CASE WHEN is_near AND turn_count IS NOT NULL THEN 1 ELSE 0 END) AS near_count,
        sum(CASE WHEN is_near THEN coalesce(turn_count, 0) ELSE 0 END) AS near_turn_count,
        sum(CASE WHEN is_near AND turn_count IS NOT NULL THEN seconds ELSE 0 END) AS near_seconds,
        sum(CASE WHEN is_near THEN coalesce(power(turn_count, 2), 0) ELSE 0 END) AS near_turn_squares,
        sum(CASE WHEN is_near THEN coalesce(turn_count * seconds, 0) ELSE 0 END) AS near_products,
        sum(CASE WHEN is_near AND turn_count IS NOT NULL THEN power(seconds, 2) ELSE 0 END) AS near_second_squares,
        count(turn_count) AS completed_count,
        sum(coalesce(turn_count, 0)) AS turn_count,
        sum(CASE WHEN is_completed THEN seconds ELSE 0 END) AS completed_seconds,
        sum(seconds) AS seconds,
        sum(CASE WHEN is_near AND is_answered THEN 1 ELSE 0 END) AS answered_count,
        sum(CASE WHEN is_near AND is_answered AND is_resolved THEN 1 ELSE 0 END) AS resolved_count
    FROM judged
    GROUP BY cluster, model, concurrency, predicted_at, benchmark_run_id
),

total AS (
    SELECT
        cluster,
        model,
        concurrency,
        predicted_at,
        count(*) AS run_count,
        sum(CASE WHEN near_count > 0 THEN 1 ELSE 0 END) AS near_run_count,
        sum(CASE WHEN answered_count > 0 THEN 1 ELSE 0 END) AS answered_run_count,
        nullif(sum(near_count), 0) AS near_count,
        nullif(CAST(sum(near_turn_count) AS DOUBLE), 0) AS near_turn_count,
        nullif(sum(near_seconds), 0) AS near_seconds,
        nullif(CAST(sum(completed_count) AS DOUBLE), 0) AS completed_count,
        nullif(CAST(sum(turn_count) AS DOUBLE), 0) AS turn_count,
        nullif(sum(completed_seconds), 0) AS completed_seconds,
        nullif(sum(seconds), 0) AS seconds,
        nullif(CAST(sum(answered_count) AS DOUBLE), 0) AS answered_count,
        CAST(sum(resolved_count) AS DOUBLE) AS resolved_count
    FROM run
    GROUP BY cluster, model, concurrency, predicted_at
),

scatter AS (
    SELECT
        run.cluster,
        run.model,
        run.concurrency,
        run.predicted_at,
        sum(power(run.near_turn_count / total.near_turn_count - run.near_seconds / total.near_seconds, 2)) AS near_squares,
        sum(
            run.near_turn_squares / power(total.near_turn_count, 2)
            - 2 * run.near_products / total.near_turn_count / total.near_seconds
            + run.near_second_squares / power(total.near_seconds, 2)
        ) AS near_session_squares,
        sum(power(
            run.completed_count / total.completed_count - run.turn_count / total.turn_count
            + run.completed_seconds / total.completed_seconds - run.seconds / total.seconds,
            2
        )) AS work_squares,
        sum(power(
            (run.resolved_count - run.answered_count * total.resolved_count / total.answered_count) / total.answered_count, 2
        )) AS resolved_squares
    FROM run
    JOIN total
        ON run.cluster = total.cluster
        AND run.model = total.model
        AND run.concurrency = total.concurrency
        AND run.predicted_at = total.predicted_at
    GROUP BY run.cluster, run.model, run.concurrency, run.predicted_at
),

actual AS (
    SELECT
        total.cluster,
        total.model,
        total.concurrency,
        total.predicted_at,
        total.near_seconds / 3600 / total.concurrency AS hours,
        total.near_count AS completed_count,
        nullif(total.near_run_count, 0) AS run_count,
        3600 * total.concurrency * total.near_turn_count / total.near_seconds * total.completed_count / total.turn_count
        * total.completed_seconds / total.seconds AS throughput,
        CASE
            WHEN total.near_count >= 5
            THEN 1.645 * sqrt(
                greatest(
                    scatter.near_squares * total.near_run_count / greatest(total.near_run_count - 1, 1),
                    scatter.near_session_squares
                )
                + scatter.work_squares * total.run_count / nullif(total.run_count - 1, 0)
            )
        END AS throughput_chance_ratio,
        total.answered_count,
        total.resolved_count / total.answered_count AS resolved_ratio,
        CASE
            WHEN total.answered_count >= 5
            THEN 1.96 * sqrt(greatest(
                scatter.resolved_squares * total.answered_run_count / greatest(total.answered_run_count - 1, 1),
                (total.resolved_count + 1) * (total.answered_count - total.resolved_count + 1)
                / power(total.answered_count + 2, 2) / total.answered_count
            ))
        END AS resolved_ratio_chance
    FROM total
    JOIN scatter
        ON total.cluster = scatter.cluster
        AND total.model = scatter.model
        AND total.concurrency = scatter.concurrency
        AND total.predicted_at = scatter.predicted_at
),

outcome AS (
    SELECT
        prediction.*,
        actual.hours AS actual_hours,
        CAST(actual.completed_count AS BIGINT) AS actual_completed_count,
        CAST(actual.run_count AS BIGINT) AS actual_run_count,
        actual.throughput AS actual_throughput,
        CAST(actual.answered_count AS BIGINT) AS actual_answered_count,
        actual.resolved_ratio AS actual_resolved_ratio,
        actual.throughput * actual.throughput_chance_ratio AS throughput_chance,
        actual.resolved_ratio_chance
    FROM prediction
    LEFT JOIN actual
        ON prediction.cluster = actual.cluster
        AND prediction.model = actual.model
        AND prediction.concurrency = actual.concurrency
        AND prediction.predicted_at = actual.predicted_at
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
    actual_run_count,
    actual_throughput,
    actual_answered_count,
    actual_resolved_ratio,
    actual_throughput >= throughput - sqrt(power(throughput - throughput_low, 2) + power(throughput_chance, 2))
    AND actual_throughput <= throughput + sqrt(power(throughput_high - throughput, 2) + power(throughput_chance, 2))
        AS is_throughput_inside,
    actual_resolved_ratio
    >= resolved_ratio - sqrt(power(resolved_ratio - resolved_ratio_low, 2) + power(resolved_ratio_chance, 2))
    AND actual_resolved_ratio
    <= resolved_ratio + sqrt(power(resolved_ratio_high - resolved_ratio, 2) + power(resolved_ratio_chance, 2))
        AS is_resolved_ratio_inside
FROM outcome
