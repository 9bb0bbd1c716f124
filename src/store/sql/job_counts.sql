-- Depth and age of the queues, all tenants together.
SELECT queue, depth, oldest_seconds FROM job_counts()
