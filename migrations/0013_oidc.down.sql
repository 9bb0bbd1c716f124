-- The way back from 0013_oidc. People without a password keep their account and can reset it by mail.
SET LOCAL search_path = dms, ext;
DROP FUNCTION oidc_begin(bytea, bytea, text, uuid, uuid, interval);
DROP FUNCTION oidc_take(bytea, bytea, text);
DROP FUNCTION oidc_find(text, text, text);
DROP FUNCTION oidc_register(uuid, text, text, uuid, text, text);
DROP FUNCTION oidc_link(uuid, text, text, uuid, text, text, boolean);
DROP FUNCTION oidc_hand_over(bytea, bytea, text, text, interval);
DROP FUNCTION oidc_peek(bytea, bytea);
DROP FUNCTION oidc_exchange(bytea, bytea);
DROP FUNCTION oidc_identities(uuid);
DROP FUNCTION oidc_unlink(uuid, uuid);
DROP TABLE oidc_handover, oidc_flow, person_identity;
ALTER TABLE person NO FORCE ROW LEVEL SECURITY; -- the owner has no policy of its own
UPDATE person SET password_hash = '' WHERE password_hash IS NULL; -- no password has that hash
ALTER TABLE person FORCE ROW LEVEL SECURITY;
ALTER TABLE person ALTER COLUMN password_hash SET NOT NULL;
