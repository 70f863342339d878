-- Pins without a commit: one row a pin of a service that leads to no landed commit of code.
--
-- grain: repository, branch, path, pin_key, pin_sha
-- reads: pin_sources, default_branches
-- params: since, until
--
-- Either nothing of the pin names a commit, or the commit is of no landed repository: an image of elsewhere, a
-- preview's branch that is gone, or history older than what was read. Removed pins name none by nature.

SELECT
    pin.repository,
    pin.branch,
    pin.path,
    pin.pin_key,
    pin.sha AS pin_sha,
    CAST(NULL AS VARCHAR) AS environment,
    pin.service,
    pin.repository || ':' || pin.path || ' ' || pin.pin_key AS subject,
    pin.pinned_at AS found_at,
    CASE
        WHEN pin.source_sha IS NULL THEN 'nothing names the commit of ' || coalesce(pin.tag, pin.digest, 'the image')
        ELSE 'commit ' || substr(pin.source_sha, 1, 12) || ' is not landed'
    END AS message
FROM pin_sources AS pin
JOIN default_branches ON default_branches.repository = pin.repository AND default_branches.branch = pin.branch
WHERE
    pin.service IS NOT NULL
    AND pin.change_kind <> 'removed'
    AND (pin.source_sha IS NULL OR NOT pin.is_landed)
    AND pin.pinned_at >= $since
    AND pin.pinned_at < $until
