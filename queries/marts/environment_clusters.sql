-- Environment clusters: one row a cluster that an environment's Applications were read from.
--
-- grain: cluster
-- reads: applications
-- params: environment
--
-- For a mirror on the hub that stands for an original nobody landed, that is the hub. An empty `environment`
-- asks for all.

SELECT DISTINCT cluster
FROM applications
WHERE ($environment = '' OR environment = $environment) AND is_counted
ORDER BY cluster
