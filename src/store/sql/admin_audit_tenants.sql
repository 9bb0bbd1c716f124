-- For `dms admin audit verify`, as the operators' role: the organisations with a log. $1: only that of this name or id; '' all.
SELECT t.tenant_id, t.name FROM tenant t WHERE $1 = '' OR t.name = $1 OR t.tenant_id::text = $1 ORDER BY t.created_at, t.tenant_id
