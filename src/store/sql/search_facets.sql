-- How many of the given documents have which type, tag and so on, the 20 most frequent of each, as JSON. $1 document ids.
WITH d AS (SELECT * FROM document WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = ANY ($1::uuid[])),
v AS (SELECT f.field, f.value FROM d CROSS JOIN LATERAL (VALUES ('type', d.type), ('mime_type', d.mime_type), ('lifecycle', d.lifecycle),
             ('classification', d.classification), ('folder_id', d.folder_id::text), ('owner_id', d.owner_id::text)) f(field, value)
      UNION ALL SELECT 'tags', unnest(d.tags) FROM d),
n AS (SELECT field, value, count(*) AS n, row_number() OVER (PARTITION BY field ORDER BY count(*) DESC, value) AS place
      FROM v WHERE value IS NOT NULL GROUP BY field, value),
l AS (SELECT field, json_agg(json_build_object('value', value, 'count', n) ORDER BY place) AS list FROM n WHERE place <= 20 GROUP BY field)
SELECT coalesce(json_object_agg(field, list ORDER BY field), '{}')::text AS facets FROM l
