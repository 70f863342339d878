-- Images without a pin: one row an image that an Application ran before any pin of its environment named it.
--
-- grain: cluster_uid, uid, image
-- reads: argocd_application_image, applications, environment_releases
-- params: since, until
--
-- Drift: somebody set the image by hand, or another tool does. Only images whose name is pinned for the service and
-- environment are held to it; by digest where the running image has one, else by tag. What was seen before the
-- first known pin is left out. `found_at` is when the image was first seen.

WITH pinned AS (
    SELECT environment, service, image_name, tag, digest, pinned_at, is_first_seen
    FROM environment_releases
    WHERE image_name IS NOT NULL
),

known AS (
    SELECT environment, service, image_name, min(pinned_at) AS first_pinned_at
    FROM pinned
    GROUP BY environment, service, image_name
)

SELECT
    running.cluster_uid,
    running.uid,
    running.image,
    application.environment,
    application.service,
    running.cluster || '/' || running.namespace || '/' || running.application AS subject,
    running.observed_at AS found_at,
    'it ran ' || running.image || ', which no pin had named' AS message
FROM argocd_application_image AS running
JOIN applications AS application
    ON application.cluster_uid = running.cluster_uid AND application.uid = running.uid AND application.is_counted
JOIN known
    ON known.environment = application.environment
    AND known.service = application.service
    AND known.image_name = running.image_name
    AND known.first_pinned_at <= running.observed_at
LEFT JOIN pinned
    ON pinned.environment = application.environment
    AND pinned.service = application.service
    AND pinned.image_name = running.image_name
    AND pinned.pinned_at <= running.observed_at
    AND CASE WHEN running.digest IS NULL THEN pinned.tag = running.image_tag ELSE pinned.digest = running.digest END
WHERE pinned.service IS NULL AND running.observed_at >= $since AND running.observed_at < $until
