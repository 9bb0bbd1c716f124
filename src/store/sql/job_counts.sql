-- Depth and age per queue for the metrics; counts only, across tenants. No tenant_id here on purpose.
SELECT queue, depth, oldest_seconds FROM job_counts()
