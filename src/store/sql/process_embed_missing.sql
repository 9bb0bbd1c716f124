-- Jobs for documents without a vector of this model, across tenants; counts only. No tenant_id here on purpose.
SELECT embed_missing($1, $2::uuid[]) AS made
