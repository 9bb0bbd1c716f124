/* People, organizations and what they may do: one function per operation of the API. Documents are in api.ts. */
import { fetchJson, request, type Query } from './client';
import type {
  AuditRow,
  Invitation,
  LinkedIdentity,
  Member,
  MemberGroup,
  Organization,
  Page,
  Permission,
  Role,
  SessionRow,
  Tokens,
  Usage,
} from './types';

type Signal = { signal?: AbortSignal };
const at = encodeURIComponent;

export interface RoleGiven {
  name: string;
  description: string;
  permissions: string[];
}

export const identity = {
  forgot: (email: string) =>
    fetchJson<void>('/auth/password/forgot', { method: 'POST', json: { email }, anonymous: true }),
  reset: (token: string, password: string) =>
    fetchJson<void>('/auth/password/reset', { method: 'POST', json: { token, password }, anonymous: true }),
  resend: (email: string) => fetchJson<void>('/auth/resend', { method: 'POST', json: { email }, anonymous: true }),
  changePassword: (current_password: string, new_password: string) =>
    fetchJson<void>('/auth/password/change', { method: 'POST', json: { current_password, new_password } }),
  accept: (json: { token: string; name?: string; password?: string }) =>
    fetchJson<unknown>('/invitations/accept', { method: 'POST', json, anonymous: true }),

  providers: ({ signal }: Signal = {}) =>
    fetchJson<{ items: { name: string; label: string; start: string }[] }>('/auth/oidc', { anonymous: true, signal }),
  exchange: (code: string) =>
    fetchJson<Tokens>('/auth/oidc/exchange', { method: 'POST', json: { code }, anonymous: true, cookies: true }),

  identities: ({ signal }: Signal = {}) => fetchJson<{ items: LinkedIdentity[] }>('/auth/identities', { signal }),
  /* The answer's cookie ties the way back to this browser. */
  link: (provider: string) =>
    fetchJson<{ location: string }>(`/auth/oidc/${at(provider)}/link`, { method: 'POST', cookies: true }),
  unlink: (id: string) => fetchJson<void>(`/auth/identities/${at(id)}`, { method: 'DELETE' }),

  sessions: ({ signal }: Signal = {}) => fetchJson<{ items: SessionRow[] }>('/auth/sessions', { signal }),
  endSession: (id: string) => fetchJson<void>(`/auth/sessions/${at(id)}`, { method: 'DELETE' }),
  endOtherSessions: () => fetchJson<void>('/auth/sessions', { method: 'DELETE' }),
  switchTo: (organization: string) => fetchJson<Tokens>('/auth/switch', { method: 'POST', json: { organization } }),

  enrol: (password: string) =>
    fetchJson<{ secret: string; otpauth_url: string }>('/auth/mfa/totp', { method: 'POST', json: { password } }),
  confirmEnrolment: (code: string) =>
    fetchJson<{ recovery_codes: string[] }>('/auth/mfa/totp/verify', { method: 'POST', json: { code } }),
  endSecondFactor: (password: string) => fetchJson<void>('/auth/mfa/totp', { method: 'DELETE', json: { password } }),

  organization: ({ signal }: Signal = {}) => fetchJson<Organization>('/organization', { signal }),
  changeOrganization: (json: { name?: string; require_mfa?: boolean }) =>
    fetchJson<Organization>('/organization', { method: 'PATCH', json }),
  usage: ({ signal }: Signal = {}) => fetchJson<Usage>('/organization/usage', { signal }),

  members: (query: Query, { signal }: Signal = {}) => fetchJson<Page<Member>>('/members', { query, signal }),
  changeMember: (id: string, json: { role?: string; role_id?: string }) =>
    fetchJson<unknown>(`/members/${at(id)}`, { method: 'PATCH', json }),
  removeMember: (id: string) => fetchJson<void>(`/members/${at(id)}`, { method: 'DELETE' }),
  invitations: (query: Query, { signal }: Signal = {}) =>
    fetchJson<Page<Invitation>>('/invitations', { query, signal }),
  invite: (json: { email: string; role?: string; role_id?: string }) =>
    fetchJson<Invitation>('/invitations', { method: 'POST', json }),
  withdraw: (id: string) => fetchJson<void>(`/invitations/${at(id)}`, { method: 'DELETE' }),

  groups: (query: Query, { signal }: Signal = {}) => fetchJson<Page<MemberGroup>>('/groups', { query, signal }),
  createGroup: (name: string) => fetchJson<MemberGroup>('/groups', { method: 'POST', json: { name } }),
  deleteGroup: (id: string) => fetchJson<void>(`/groups/${at(id)}`, { method: 'DELETE' }),
  groupMembers: (id: string, { signal }: Signal = {}) =>
    fetchJson<{ items: { user_id: string; name: string }[] }>(`/groups/${at(id)}/members`, { signal }),
  addToGroup: (id: string, user: string) => fetchJson<void>(`/groups/${at(id)}/members/${at(user)}`, { method: 'PUT' }),
  takeFromGroup: (id: string, user: string) =>
    fetchJson<void>(`/groups/${at(id)}/members/${at(user)}`, { method: 'DELETE' }),
  roles: ({ signal }: Signal = {}) => fetchJson<{ items: Role[]; permissions: Permission[] }>('/roles', { signal }),
  createRole: (json: RoleGiven) => fetchJson<Role>('/roles', { method: 'POST', json }),
  changeRole: (id: string, json: Partial<RoleGiven>) => fetchJson<Role>(`/roles/${at(id)}`, { method: 'PATCH', json }),
  deleteRole: (id: string) => fetchJson<void>(`/roles/${at(id)}`, { method: 'DELETE' }),

  audit: (query: Query, { signal }: Signal = {}) => fetchJson<Page<AuditRow>>('/audit', { query, signal }),
  verifyAudit: () => fetchJson<{ ok: boolean; rows: number; first_bad: string | number | null }>('/audit/verify'),
  exportAudit: async () =>
    (await request('/audit/export', { query: { format: 'csv' }, headers: { Accept: '*/*' } })).blob(),
};
