-- Images of Argo CD Applications: one row an image that an Application was seen to run.
--
-- grain: cluster_uid, uid, image
-- reads: parsed_argocd_application
-- params:
--
-- The image is what the owner of live pods asks for, often a tag; `digest` is there only when it names one.
-- `observed_at` is when it was first seen.

SELECT
    cluster,
    cluster_uid,
    namespace,
    name AS application,
    uid,
    resource_version,
    observed_at,
    image,
    regexp_extract(image, '^(.*?)(:[^/@:]*)?(@.*)?$', 1) AS image_name,
    nullif(regexp_extract(regexp_replace(image, '@.*$', ''), ':([^/:]+)$', 1), '') AS image_tag,
    nullif(regexp_extract(image, '@(sha256:[0-9a-f]{64})$', 1), '') AS digest
FROM (SELECT * EXCLUDE (object), unnest(object.status.summary.images) AS image FROM parsed_argocd_application)
