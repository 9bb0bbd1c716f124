-- Uses up an invitation and makes the membership; no row: it cannot be.
SELECT user_id, name, organization, role FROM invitation_accept($1::bytea, $2::uuid, $3::uuid, $4, $5)
