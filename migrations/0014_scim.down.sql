-- The way back from 0014_scim.
SET LOCAL search_path = dms, ext;
DROP FUNCTION scim_join(uuid, text, text, text);
DROP FUNCTION scim_pick(jsonb, text[], text[]);
DROP FUNCTION scim_group_json(uuid, uuid, text);
DROP FUNCTION scim_user_json(uuid, uuid, text);
DROP INDEX membership_with_removed;
REVOKE UPDATE (name) ON membership FROM dms_app;
DROP TABLE scim_group, scim_user;
