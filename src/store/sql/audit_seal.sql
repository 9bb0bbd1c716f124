-- Numbers and hashes for what was committed lately, across tenants; the function behind it returns how many. No tenant_id here on purpose.
SELECT audit_seal($1::int) AS sealed
