-- 0012_access, back: everything is open to every member again.
SET LOCAL search_path = dms, ext;
DROP TRIGGER place_new ON document;
DROP TRIGGER place_moved ON document;
DROP TRIGGER place_new ON folder;
DROP TRIGGER access_gone ON folder;
DROP TRIGGER access_gone ON document;
DROP TRIGGER access_forget ON membership;
DROP TRIGGER access_forget ON member_group;
DROP TRIGGER access_forget ON role;
DO $$
DECLARE
    t text;
    p text;
BEGIN
    FOREACH t IN ARRAY ARRAY['folder', 'document'] LOOP
        FOREACH p IN ARRAY ARRAY['may_see', 'may_add', 'may_change', 'may_remove', 'access'] LOOP
            EXECUTE format('DROP POLICY %I ON %I', p, t);
        END LOOP;
    END LOOP;
END
$$;
CREATE OR REPLACE FUNCTION document_json(d document, owner_name text) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('id', d.id, 'title', d.title, 'name', d.name, 'mime_type', d.mime_type, 'size', d.size, 'sha256', d.sha256,
        'version', d.version, 'version_label', d.version_label,
        'status', CASE WHEN d.trashed_at IS NULL THEN d.status ELSE 'deleted' END, 'processing_error', d.processing_error,
        'processing_note', d.processing_note, 'lifecycle', d.lifecycle, 'classification', d.classification, 'folder_id', d.folder_id,
        'tags', d.tags, 'type', d.type, 'metadata', d.metadata, 'page_count', d.page_count, 'chunk_count', d.chunk_count,
        'language', d.language, 'owner', json_build_object('id', d.owner_id, 'name', owner_name), 'duplicate_of', d.duplicate_of,
        'created_at', d.created_at, 'updated_at', d.updated_at, 'processed_at', d.processed_at, 'trashed_at', d.trashed_at)
$$;
DROP FUNCTION folder_json(folder), grant_json(access_grant), access_json(uuid, uuid, uuid), shown_document(uuid), shown_folder(uuid);
DROP FUNCTION access_set(text, uuid, boolean, text[], uuid[], int[], uuid, int), folder_place(uuid, uuid, int), access_apply(text, uuid, boolean, int),
    access_moved(uuid, uuid), access_rebuild(uuid, uuid[]), access_serialize(uuid), place_in_folder(), place_below(), access_gone(), access_forget();
DROP FUNCTION my_access(int), my_acls(int), acls_of(uuid, int, boolean), principals_of(uuid), by_role(), system_user_id(), role_principal(text);
ALTER TABLE folder DROP COLUMN acl_id;
ALTER TABLE document DROP COLUMN acl_id;
DROP TABLE acl_entry, access_grant, acl;
DROP TYPE uuidrange;
REVOKE SELECT, UPDATE (parent_id, depth, revision, updated_at) ON folder FROM dms_search;
