-- Deletes at most $1 rows of an organization whose time has come, across tenants; 0: there is none, or another worker is at it. No tenant_id here on
-- purpose.
SELECT organization_erase($1::int) AS gone
