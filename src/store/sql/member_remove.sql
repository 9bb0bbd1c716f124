-- Ends a membership; the row stays for the documents that belong to it. A role of the organization's own is let go, so that it can be deleted.
UPDATE membership SET removed_at = now(), role = CASE WHEN role = 'Custom' THEN 'Viewer' ELSE role END, role_id = NULL
WHERE tenant_id = current_setting('app.tenant_id')::uuid AND user_id = $1 AND num_nulls(removed_at) = 1
