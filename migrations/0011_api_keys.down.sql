-- 0011_api_keys, back: keys are good from everywhere again; those that were rotated keep the end they got.
SET LOCAL search_path = dms, ext;
DROP FUNCTION api_key_json(api_key);
ALTER TABLE api_key DROP COLUMN replaced_by, DROP COLUMN allowed_ips;
