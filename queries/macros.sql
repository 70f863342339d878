-- Macros: readings of Kubernetes and Go notations, for the SQL of every other folder.
--
-- quantity(text)             DECIMAL(38,9): a Kubernetes quantity (250m, 1.5Gi, 1e3)
-- go_duration_seconds(text)  DOUBLE: a Go duration (1h30m, 300ms), in seconds
--
-- DuckDB only; to be run once a connection. What cannot be read is NULL, never 0, so a caller can count it.

-- A quantity as apimachinery and gitopslab/quantity.py read it: what is finer than 1n is rounded away
-- from zero, and a binary suffix saturates at 2^63-1. NULL also for what no DECIMAL(38,9) holds (1e29 and more),
-- and beyond 29 digits before the point, 20 after it, 3 in an exponent.
--
-- Arithmetic on DECIMAL(38,9) would round, so powers of ten move the point in the text, and powers of two
-- multiply HUGEINTs: 20 digits times 2^60 stay below 2^127.

CREATE OR REPLACE MACRO decimal_quantity(whole, fraction, power) AS
list_transform(
    [CASE
        WHEN length(whole) + power > 0 THEN {
            'whole': rpad((whole || fraction)[:length(whole) + power], (length(whole) + power)::INTEGER, '0'),
            'fraction': (whole || fraction)[length(whole) + power + 1:]
        }
        ELSE {
            'whole': '',
            'fraction': repeat('0', -length(whole) - power) || whole || fraction
        }
    END],
    lambda shifted: list_transform(
        [TRY_CAST('0' || ltrim(shifted.whole, '0') || '.' || shifted.fraction[:9] AS DECIMAL(38, 9))],
        lambda truncated: CASE
            WHEN NOT regexp_matches(shifted.fraction[10:], '[1-9]') THEN truncated
            WHEN truncated < 99999999999999999999999999999.999999999 THEN truncated + 0.000000001
        END
    )[1]
)[1];

CREATE OR REPLACE MACRO binary_quantity(whole, fraction, power) AS
list_transform(
    [{
        'ones': least(('0' || whole)::HUGEINT, 9223372036854775808) << power,
        'parts': rpad(fraction, 20, '0')::HUGEINT * (1::HUGEINT << power)
    }],
    lambda shifted: list_transform(
        [CASE
            WHEN shifted.ones >= 9223372036854775807 THEN 9223372036854775807000000000
            ELSE least(
                shifted.ones * 1000000000
                + shifted.parts // 100000000000
                + (shifted.parts % 100000000000 > 0)::HUGEINT,
                9223372036854775807000000000
            )
        END],
        lambda nanos:
            ((nanos // 1000000000) || '.' || lpad((nanos % 1000000000)::VARCHAR, 9, '0'))::DECIMAL(38, 9)
    )[1]
)[1];

CREATE OR REPLACE MACRO quantity(text) AS
list_transform(
    [regexp_extract(
        text::VARCHAR,
        '^([+-]?)(?:([0-9]{1,29})(?:\.([0-9]{0,20}))?|\.([0-9]{1,20}))'
        || '([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?$',
        ['sign', 'whole', 'fraction', 'bare_fraction', 'suffix']
    )],
    lambda parts: CASE WHEN parts.whole || parts.bare_fraction <> '' THEN
        CASE WHEN parts.sign = '-' THEN -1 ELSE 1 END
        * CASE
            WHEN parts.suffix LIKE '_i' THEN binary_quantity(
                parts.whole,
                parts.fraction || parts.bare_fraction,
                10 * strpos('KMGTPE', parts.suffix[1])::INTEGER
            )
            ELSE decimal_quantity(
                parts.whole,
                parts.fraction || parts.bare_fraction,
                CASE
                    WHEN parts.suffix = '' THEN 0
                    WHEN length(parts.suffix) > 1 THEN parts.suffix[2:]::INTEGER
                    ELSE (3 * (strpos('num kMGTPE', parts.suffix) - 4))::INTEGER
                END
            )
        END
    END
)[1];

-- A duration as Go's time.ParseDuration reads it: signed, units ns us ms s m h in any order, 0 without a unit.
-- NULL also beyond Go's range (292 years).

CREATE OR REPLACE MACRO go_duration_seconds(text) AS
list_transform(
    [CASE
        WHEN regexp_full_match(text, '[+-]?(?:0|(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[nuµμm]?s|m|h))+)') THEN
            CASE WHEN text LIKE '-%' THEN -1 ELSE 1 END
            * coalesce(list_sum(list_transform(
                regexp_extract_all(text, '[0-9.]+(?:[nuµμm]?s|m|h)'),
                lambda part: TRY_CAST(regexp_extract(part, '^[0-9.]+') AS DOUBLE)
                * CASE regexp_extract(part, '[^0-9.]+$')
                    WHEN 'h' THEN 3600000000000
                    WHEN 'm' THEN 60000000000
                    WHEN 's' THEN 1000000000
                    WHEN 'ms' THEN 1000000
                    WHEN 'ns' THEN 1
                    ELSE 1000
                END
            )), 0) / 1e9
    END],
    lambda seconds: CASE WHEN abs(seconds) <= 9223372036.854775807 THEN seconds END
)[1];
