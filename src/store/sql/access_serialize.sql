-- Before the first lock of whatever changes who has access: one at a time in an organization.
SELECT access_serialize(current_setting('app.tenant_id')::uuid) IS NULL AS done
