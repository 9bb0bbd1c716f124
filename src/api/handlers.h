/* handlers.h - the handlers that routes.c names, by resource. Each: 0 and an answer set, or -1 and req->err. */
#ifndef DMS_API_HANDLERS_H
#define DMS_API_HANDLERS_H

struct request;

/* account.c */
int auth_register(struct request *req);
int auth_verify(struct request *req);
int auth_resend(struct request *req);
/* password.c */
int auth_password_forgot(struct request *req);
int auth_password_reset(struct request *req);
int auth_password_change(struct request *req);
/* session.c */
int auth_login(struct request *req);
int auth_refresh(struct request *req);
int auth_logout(struct request *req);
int auth_me(struct request *req);
int auth_jwks(struct request *req);
int auth_switch(struct request *req);
int sessions_end(struct request *req);
int sessions_end_others(struct request *req);
/* oidc.c */
int auth_oidc_list(struct request *req);
int auth_oidc_start(struct request *req);
int auth_oidc_link(struct request *req);
int auth_oidc_callback(struct request *req);
int auth_oidc_exchange(struct request *req);
int auth_identities(struct request *req);
int auth_identities_delete(struct request *req);
/* second_factor.c */
int totp_enrol(struct request *req);
int totp_confirm(struct request *req);
int totp_remove(struct request *req);
/* scim.c */
int scim_config(struct request *req);
int scim_types(struct request *req);
int scim_type_one(struct request *req);
int scim_schemas(struct request *req);
int scim_schema_one(struct request *req);
int scim_nothing(struct request *req);
/* scim_user.c */
int scim_users_list(struct request *req);
int scim_users_get(struct request *req);
int scim_users_create(struct request *req);
int scim_users_update(struct request *req);
int scim_users_delete(struct request *req);
/* scim_group.c */
int scim_groups_list(struct request *req);
int scim_groups_get(struct request *req);
int scim_groups_create(struct request *req);
int scim_groups_update(struct request *req);
int scim_groups_delete(struct request *req);
/* api_key.c */
int api_keys_create(struct request *req);
int api_keys_rotate(struct request *req);
int api_keys_revoke(struct request *req);
/* organization.c */
int organization_update(struct request *req);
int organization_usage(struct request *req);
int organization_transfer(struct request *req);
int organization_delete(struct request *req);
int organization_restore(struct request *req);
/* member.c */
int members_update(struct request *req);
int members_remove(struct request *req);
/* invitation.c */
int invitations_create(struct request *req);
int invitations_revoke(struct request *req);
int invitations_accept(struct request *req);
/* group.c */
int groups_create(struct request *req);
int groups_update(struct request *req);
int groups_delete(struct request *req);
int group_members_add(struct request *req);
int group_members_remove(struct request *req);
/* role.c */
int roles_list(struct request *req);
int roles_create(struct request *req);
int roles_update(struct request *req);
int roles_delete(struct request *req);
/* document.c */
int documents_create(struct request *req);
int documents_update(struct request *req);
int documents_trash(struct request *req);
int documents_restore(struct request *req);
int documents_content(struct request *req);
int documents_text(struct request *req);
int documents_reprocess(struct request *req);
int documents_types(struct request *req);
int versions_create(struct request *req);
/* folder.c */
int folders_create(struct request *req);
int folders_update(struct request *req);
int folders_delete(struct request *req);
/* access.c */
int access_set_folder(struct request *req);
int access_set_document(struct request *req);
/* job.c */
int jobs_retry(struct request *req);
/* event.c */
int events_open(struct request *req);
/* audit.c */
int audit_export(struct request *req);
int audit_verify_get(struct request *req);
/* search.c */
int search_post(struct request *req);
int search_get(struct request *req);
/* health.c */
int health_live(struct request *req);
int health_ready(struct request *req);
int version_get(struct request *req);
int metrics_get(struct request *req);
int openapi_get(struct request *req);
int docs_get(struct request *req);

#endif
