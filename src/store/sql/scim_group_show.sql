-- A group as a SCIM resource.
SELECT scim_pick(j, $3::text[], $4::text[])::text AS body FROM scim_group_json(current_setting('app.tenant_id')::uuid, $1, $2) j WHERE j IS NOT NULL
