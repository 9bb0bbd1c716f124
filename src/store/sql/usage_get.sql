-- What the tenant has used of its plan.
SELECT documents, bytes FROM usage WHERE tenant_id = current_setting('app.tenant_id')::uuid
