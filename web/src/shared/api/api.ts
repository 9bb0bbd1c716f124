/* One function per operation of the API that the application uses. */
import { fetchJson, fetchTagged, request, type Query } from './client';
import type {
  Access,
  ApiKey,
  DmsDocument,
  DocumentVersion,
  FileKind,
  Grant,
  Job,
  Me,
  Page,
  SearchAnswer,
  SearchMode,
  TimelineEntry,
  Tokens,
} from './types';

type Signal = { signal?: AbortSignal };
const at = (id: string | number) => encodeURIComponent(String(id));

export interface Credentials {
  email: string;
  password: string;
  otp?: string;
}

export interface Registration {
  email: string;
  password: string;
  name: string;
  organization: string;
}

export interface DocumentChanges {
  title?: string;
  tags?: string[];
}

export interface NewApiKey {
  name: string;
  scopes: string[];
  type: 'sk' | 'pk';
  expires_at?: string;
  allowed_ips?: string[];
  user_id?: string /* a member with the role API_Only; else it is one's own */;
}

export type AccessKind = 'documents' | 'folders';

export interface AccessGiven {
  restricted: boolean;
  grants: Pick<Grant, 'principal_type' | 'principal_id' | 'level'>[];
}

export const api = {
  register: (json: Registration) =>
    fetchJson<{ verification: string | null }>('/auth/register', { method: 'POST', json, anonymous: true }),
  login: (json: Credentials) => fetchJson<Tokens>('/auth/login', { method: 'POST', json, anonymous: true }),
  verify: (token: string) => fetchJson<void>('/auth/verify', { method: 'POST', json: { token }, anonymous: true }),
  /* With the token of the session that ends: it is no longer the current one by then. */
  logout: (refresh_token: string, access: string) =>
    fetchJson<void>('/auth/logout', {
      method: 'POST',
      json: { refresh_token },
      headers: { Authorization: 'Bearer ' + access },
      anonymous: true,
    }),
  me: ({ signal }: Signal = {}) => fetchJson<Me>('/auth/me', { signal }),

  documents: (query: Query, { signal }: Signal = {}) => fetchJson<Page<DmsDocument>>('/documents', { query, signal }),
  document: (id: string, { signal }: Signal = {}) => fetchTagged<DmsDocument>(`/documents/${at(id)}`, { signal }),
  updateDocument: (id: string, json: DocumentChanges, etag: string | null) =>
    fetchTagged<DmsDocument>(`/documents/${at(id)}`, {
      method: 'PATCH',
      json,
      headers: etag === null ? {} : { 'If-Match': etag },
    }),
  trashDocument: (id: string) => fetchJson<void>(`/documents/${at(id)}`, { method: 'DELETE' }),
  restoreDocument: (id: string) => fetchJson<unknown>(`/documents/${at(id)}/restore`, { method: 'POST' }),
  reprocessDocument: (id: string) => fetchJson<unknown>(`/documents/${at(id)}/reprocess`, { method: 'POST' }),
  documentText: async (id: string, { signal }: Signal = {}) =>
    (await request(`/documents/${at(id)}/text`, { signal, headers: { Accept: 'text/plain' } })).text(),
  documentContent: async (id: string, version: number | null, { signal }: Signal = {}) =>
    (await request(`/documents/${at(id)}/content`, { signal, query: { version }, headers: { Accept: '*/*' } })).blob(),
  documentVersions: (id: string, query: Query, { signal }: Signal = {}) =>
    fetchJson<Page<DocumentVersion>>(`/documents/${at(id)}/versions`, { query, signal }),
  documentTimeline: (id: string, { signal }: Signal = {}) =>
    fetchJson<{ items: TimelineEntry[] }>(`/documents/${at(id)}/timeline`, { signal }),
  access: (kind: AccessKind, id: string, { signal }: Signal = {}) =>
    fetchTagged<Access>(`/${kind}/${at(id)}/permissions`, { signal }),
  setAccess: (kind: AccessKind, id: string, json: AccessGiven, etag: string | null) =>
    fetchTagged<Access>(`/${kind}/${at(id)}/permissions`, {
      method: 'PUT',
      json,
      headers: etag === null ? {} : { 'If-Match': etag },
    }),
  fileKinds: ({ signal }: Signal = {}) => fetchJson<{ items: FileKind[] }>('/documents/types', { signal }),

  search: (query: string, mode: SearchMode, limit: number, { signal }: Signal = {}) =>
    fetchJson<SearchAnswer>('/search', { method: 'POST', json: { query, mode, limit, highlight: true }, signal }),

  jobs: (query: Query, { signal }: Signal = {}) => fetchJson<Page<Job>>('/jobs', { query, signal }),
  retryJob: (id: string) => fetchJson<unknown>(`/jobs/${at(id)}/retry`, { method: 'POST' }),

  apiKeys: (query: Query, { signal }: Signal = {}) => fetchJson<Page<ApiKey>>('/api-keys', { query, signal }),
  /* No idempotency key: the secret is shown once, so the server can not repeat its answer. */
  createApiKey: (json: NewApiKey) => fetchJson<ApiKey>('/api-keys', { method: 'POST', json }),
  rotateApiKey: (id: string, overlap_seconds: number) =>
    fetchJson<ApiKey>(`/api-keys/${at(id)}/rotate`, { method: 'POST', json: { overlap_seconds } }),
  deleteApiKey: (id: string) => fetchJson<void>(`/api-keys/${at(id)}`, { method: 'DELETE' }),

  version: ({ signal }: Signal = {}) => fetchJson<{ version?: string }>('/version', { anonymous: true, signal }),
  alive: ({ signal }: Signal = {}) => request('/health/live', { anonymous: true, signal }),
};
