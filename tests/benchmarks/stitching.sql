-- Typed rows of a platform: commit n of the source repository is at minute n, and every so many commits a pin asks
-- for the newest one of a service; each pin is hydrated, promoted and synced in every environment.

CREATE TEMP MACRO minute(n) AS TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_minutes(n::BIGINT);
CREATE TEMP MACRO sha_of(kind, n) AS md5(kind || n) || substr(md5(kind || n), 1, 8);
CREATE TEMP MACRO service_of(n) AS 'svc' || n % getvariable('services');
CREATE TEMP MACRO committed(n) AS n * getvariable('step');
CREATE TEMP MACRO newest_of_service(n) AS committed(n) - (committed(n) - n) % getvariable('services');
CREATE TEMP VIEW change_number AS SELECT unnest(generate_series(1, getvariable('changes'))) AS n;
CREATE TEMP VIEW pin_number AS SELECT unnest(generate_series(1, getvariable('deployments'))) AS n;
CREATE TEMP VIEW service_number AS SELECT unnest(generate_series(0, getvariable('services') - 1)) AS n;
CREATE TEMP VIEW environment_number AS SELECT unnest(generate_series(1, getvariable('environments'))) AS n;

INSERT INTO configured_environment SELECT 'e' || n, n, 'promoted', 'c' || n, 'env/e' || n FROM environment_number;
INSERT INTO configured_environment_pin SELECT 'e' || n, '^pins.yaml$' FROM environment_number;
INSERT INTO configured_environment_application SELECT 'e' || n, '.*' FROM environment_number;
INSERT INTO configured_cluster SELECT 'c' || n, 'spoke', '' FROM environment_number;
INSERT INTO configured_repository VALUES ('app', '', 'source'), ('stacks', '', 'config');
INSERT INTO configured_service SELECT service_of(n), 'app' FROM service_number;
INSERT INTO configured_service_pattern
SELECT service_of(n), 'path', '^services/' || service_of(n) || '/.*$' FROM service_number
UNION ALL SELECT service_of(n), 'application', '^' || service_of(n) || '$' FROM service_number;

INSERT INTO git_branch_commit BY NAME
SELECT 'app' AS repository, 'main' AS branch, n AS position, sha_of('s', n) AS sha FROM change_number
UNION ALL BY NAME
SELECT 'stacks' AS repository, 'main' AS branch, n AS position, sha_of('c', n) AS sha FROM pin_number
UNION ALL BY NAME
SELECT 'stacks' AS repository, branch || side AS branch, n AS position, md5(environment || side || n) AS sha
FROM pin_number, configured_environment, (SELECT unnest(['', '-next']) AS side);
UPDATE git_branch_commit SET rewrite_number = 0, is_on_line = true, is_boundary = false;

INSERT INTO git_ref BY NAME
SELECT
    repository, 'refs/heads/' || branch AS ref, max_by(sha, position) AS sha, false AS is_forced,
    0 AS rewrite_number, max(position) AS position, now() AS observed_at
FROM git_branch_commit GROUP BY repository, branch;

INSERT INTO git_commit BY NAME
SELECT
    repository, sha, sha AS tree_sha, '' AS parent_shas, 1 AS parent_count, false AS is_merge,
    false AS is_boundary, 'Ada' AS author_name, 'commit' AS subject, '' AS body,
    minute(
        CASE
            WHEN repository = 'app' THEN position
            WHEN branch = 'main' THEN committed(position) + 5
            ELSE committed(position) + 7
        END
    ) AS committed_at,
    committed_at AS authored_at
FROM git_branch_commit;

INSERT INTO git_changed_path BY NAME
SELECT
    'app' AS repository, sha_of('s', n) AS sha, 'services/' || service_of(n) || '/main.py' AS path,
    'modified' AS change_kind
FROM change_number;

INSERT INTO git_pin BY NAME
SELECT
    'stacks' AS repository, 'main' AS branch, sha_of('c', n) AS sha, n AS position,
    minute(committed(n) + 5) AS committed_at, 'pins.yaml' AS path, 'release_pins' AS pin_format,
    service_of(n) AS pin_key, 'changed' AS change_kind, 'img' AS image_name,
    'sha256:' || md5('d' || n) || md5('e' || n) AS digest, sha_of('s', newest_of_service(n)) AS source_sha,
    false AS is_first_seen, false AS is_after_unreadable
FROM pin_number;

INSERT INTO git_hydration BY NAME
SELECT
    repository, sha, '' AS path, 'metadata' AS said_by, sha AS said_in_sha,
    minute(committed(position) + 7) AS said_at, sha_of('c', position) AS dry_sha
FROM git_branch_commit WHERE branch <> 'main';

INSERT INTO argocd_application BY NAME
SELECT
    cluster, cluster || '-uid' AS cluster_uid, 'argocd' AS namespace, service_of(n) AS application,
    service_of(n) AS uid, 10000000 + n AS resource_version, minute(committed(n) + 10) AS observed_at,
    'apps/' || environment || '/' || service_of(n) AS source_path, 'Synced' AS sync_status,
    'Healthy' AS health_status, minute(committed(n) + 10) AS health_changed_at
FROM pin_number, configured_environment;

INSERT INTO argocd_application_sync BY NAME
SELECT
    cluster, cluster || '-uid' AS cluster_uid, 'argocd' AS namespace, service_of(n) AS application,
    service_of(n) AS uid, 10000000 + n AS resource_version, minute(committed(n) + 10) AS observed_at,
    n // getvariable('services') AS sync_id, md5(environment || n) AS revision,
    md5(environment || n) AS revisions_text, minute(committed(n) + 8) AS started_at,
    minute(committed(n) + 9) AS deployed_at, true AS is_automated
FROM pin_number, configured_environment;
