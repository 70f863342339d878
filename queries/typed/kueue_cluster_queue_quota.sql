-- Quotas of Kueue ClusterQueues: one row a flavor and resource, in each state of a ClusterQueue that was seen.
--
-- grain: cluster_uid, uid, resource_version, flavor, resource
-- reads: parsed_kueue_cluster_queue
-- params:
--
-- No `borrowing_limit` means no limit, for a queue in a cohort (one without a cohort borrows nothing); no
-- `lending_limit` means that all may be lent. A resource that is not listed cannot be had, not even by borrowing.
-- Amounts are in the resource's own unit (cores, bytes, devices), exact; the text is as somebody wrote it,
-- and tells an absent limit from one that could not be read.
-- Flavors of one resource group are alternatives for a pod, tried in the order of `flavor_number`; all resources
-- of a group are taken from the same flavor.

SELECT
    cluster,
    cluster_uid,
    name AS cluster_queue,
    uid,
    resource_version,
    observed_at,
    flavor.name AS flavor,
    resource.name AS resource,
    resource_group_number,
    flavor_number,
    quantity(resource.nominalQuota) AS nominal_quota,
    resource.nominalQuota AS nominal_quota_text,
    quantity(resource.borrowingLimit) AS borrowing_limit,
    resource.borrowingLimit AS borrowing_limit_text,
    quantity(resource.lendingLimit) AS lending_limit,
    resource.lendingLimit AS lending_limit_text
FROM (
    SELECT *, unnest(flavor.resources) AS resource
    FROM (
        SELECT *, unnest(flavors) AS flavor, generate_subscripts(flavors, 1) AS flavor_number
        FROM (
            SELECT
                cluster, cluster_uid, name, uid, resource_version, observed_at,
                unnest(object.spec.resourceGroups).flavors AS flavors,
                generate_subscripts(object.spec.resourceGroups, 1) AS resource_group_number
            FROM parsed_kueue_cluster_queue
        )
    )
)
