-- Known environments: one row an environment that is configured, or that something was delivered to.
--
-- grain: environment
-- reads: configured_environment, applications, promotions
-- params:

SELECT environment FROM configured_environment
UNION
SELECT environment FROM applications WHERE is_counted
UNION
SELECT environment FROM promotions
ORDER BY environment
