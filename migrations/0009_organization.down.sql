-- 0009_organization, back: memberships that ended become API_Only, which nobody can sign in to (their keys are revoked); those of roles of an
-- organization's own become Viewers'. require_mfa is 0008's.
SET LOCAL search_path = dms, ext;
DROP FUNCTION invitation_accept(bytea, uuid, uuid, text, text);
DROP FUNCTION invitation_find(bytea);
DROP TABLE group_member, member_group, invitation;
REVOKE UPDATE (name, email, role, role_id, removed_at, created_at) ON membership FROM dms_search;
REVOKE UPDATE (role, role_id, removed_at, last_sign_in_at) ON membership FROM dms_app;
DROP POLICY functions ON membership;
CREATE POLICY functions ON membership TO dms_search USING (true) WITH CHECK (true);
DROP INDEX api_key_by_user;
DROP INDEX membership_by_email;
DROP INDEX membership_by_role;
DROP INDEX membership_owner;
DROP INDEX membership_by_time;
-- Row level security is forced on the owner too; this one statement has to see every tenant's rows.
ALTER TABLE membership NO FORCE ROW LEVEL SECURITY;
ALTER TABLE membership DROP CONSTRAINT membership_role_id_check, DROP CONSTRAINT membership_role_check;
UPDATE membership SET role = CASE WHEN removed_at IS NULL THEN 'Viewer' ELSE 'API_Only' END, role_id = NULL WHERE role = 'Custom' OR removed_at IS NOT NULL;
ALTER TABLE membership DROP COLUMN last_sign_in_at, DROP COLUMN removed_at, DROP COLUMN role_id,
    ADD CONSTRAINT membership_role_check CHECK (role IN ('Owner', 'Admin', 'Editor', 'Viewer', 'API_Only'));
ALTER TABLE membership FORCE ROW LEVEL SECURITY;
DROP TABLE role_permission, role, permission;
REVOKE UPDATE (name, require_mfa, revision, deletes_at) ON tenant FROM dms_app;
DROP INDEX tenant_closing;
ALTER TABLE tenant DROP COLUMN deletes_at, DROP COLUMN revision;
