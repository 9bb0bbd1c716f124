-- A member as a SCIM resource; only these attributes, without those.
SELECT scim_pick(j, $3::text[], $4::text[])::text AS body FROM scim_user_json(current_setting('app.tenant_id')::uuid, $1, $2) j WHERE j IS NOT NULL
