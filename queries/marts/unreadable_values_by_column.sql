-- Unreadable values by column: one row a column, and how many values did not fit it and are NULL there.
--
-- grain: table_name, column_name
-- reads: unreadable_value
-- params:
--
-- `example_value` is the first in the alphabet, cut at 80 characters.

SELECT
    table_name,
    column_name,
    count(*) AS value_count,
    count(DISTINCT uid) AS object_count,
    substring(min(value), 1, 80) AS example_value
FROM unreadable_value
GROUP BY table_name, column_name
ORDER BY value_count DESC, table_name, column_name
