-- Adds new passages to the statistics of the keyword search, across tenants; counts only. No tenant_id here on purpose.
SELECT kw.fold($1::int) AS folded
