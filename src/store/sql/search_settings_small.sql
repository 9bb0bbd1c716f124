-- For a small tenant: joined by hashing, so that a leg costs what the tenant has and no more. Of a tenant that came after the last ANALYZE the planner
-- believes that it has one row, takes any index that begins with the tenant, and would go through all documents for each passage.
SELECT set_config('enable_nestloop', 'off', true)
