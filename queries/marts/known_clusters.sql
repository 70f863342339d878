-- Known clusters: one row a cluster that is configured, or that an object was landed of.
--
-- grain: cluster
-- reads: configured_cluster, object_version
-- params:

SELECT cluster FROM configured_cluster
UNION
SELECT cluster FROM object_version
ORDER BY cluster
