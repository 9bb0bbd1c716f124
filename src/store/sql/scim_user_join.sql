-- Makes somebody a member, of a new person or one that is there; null: a member already.
SELECT scim_join($1, $2, $3, $4) AS user_id
