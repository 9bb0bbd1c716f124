/* What the API answers, written by hand from the contract until the types generated from openapi.yaml take over. */

export type DocumentStatus = 'pending' | 'processing' | 'processed' | 'error' | 'deleted';

export interface ProcessingError {
  code: string;
  message: string;
  retryable: boolean;
}

export interface Person {
  id: string;
  name: string;
}

export interface DmsDocument {
  id: string;
  title: string;
  name: string;
  mime_type: string;
  size: number;
  sha256: string;
  version: number;
  version_label: string | null;
  status: DocumentStatus;
  processing_error: ProcessingError | null;
  processing_note: string | null;
  lifecycle: string | null;
  classification: string | null;
  folder_id: string | null;
  tags: string[];
  type: string | null;
  metadata: Record<string, unknown> | null;
  page_count: number | null;
  chunk_count: number | null;
  language: string | null;
  owner: Person | null;
  created_at: string;
  updated_at: string;
  processed_at: string | null;
  trashed_at: string | null;
  duplicate_of: string | null;
}

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
  total?: number;
}

export interface DocumentVersion {
  version: number;
  name: string;
  mime_type: string;
  size: number;
  sha256: string;
  created_at: string;
  author: Person | null;
  current: boolean;
}

export type ProcessingStep = 'stored' | 'queued' | 'typed' | 'text' | 'chunks' | 'vectors' | 'done' | 'error';

export interface TimelineEntry {
  at: string;
  version: number;
  step: string;
  attempt: number;
  detail: Record<string, unknown>;
  job_id: string | null;
}

export interface FileKind {
  mime_type: string;
  label: string;
  extensions: string[];
  reads: boolean;
}

export type SearchMode = 'hybrid' | 'keyword' | 'semantic';

export interface SearchHit {
  document_id: string;
  title: string;
  name: string | null;
  version: number;
  chunk_id: string | null;
  snippet: string;
  highlights: [number, number][];
  score: number;
  ranks: { keyword?: number | null; vector?: number | null; graph?: number | null } | null;
  page: number | null;
  section: string | null;
}

export interface SearchLeg {
  name: string;
  state: string;
  ms: number | null;
}

export interface SearchAnswer {
  items: SearchHit[];
  total: number | null;
  legs: SearchLeg[] | null;
  took_ms: number | null;
}

export interface Tokens {
  access_token: string;
  refresh_token: string;
  token_type: string;
  expires_in: number;
}

export interface Me {
  user: { id: string; email: string; name: string };
  organization: { id: string; name: string; plan: string | null };
  role: string;
  permissions: string[];
  organizations?: { id: string; name: string; role: string }[] /* all that this person belongs to */;
  mfa?: { enabled: boolean; required: boolean };
}

export interface SessionRow {
  id: string;
  current: boolean;
  created_at: string;
  last_used_at: string | null;
  ip: string | null;
  user_agent: string | null;
}

/** An account at another provider with which somebody signs in. */
export interface LinkedIdentity {
  id: string;
  provider: string;
  email: string | null;
  created_at: string;
  last_used_at: string | null;
}

export interface Member {
  user_id: string;
  name: string;
  email: string;
  role: string /* built in, or 'Custom' */;
  role_id: string | null;
  role_name: string;
  created_at: string;
}

export interface Invitation {
  id: string;
  email: string;
  role: string;
  expires_at: string;
}

export interface MemberGroup {
  id: string;
  name: string;
  member_count?: number;
}

export interface Role {
  id: string | null /* null: built in */;
  name: string;
  description?: string | null;
  permissions: string[];
}

/** What a role may allow. */
export interface Permission {
  name: string;
  description: string;
}

export type GrantLevel = 'read' | 'write' | 'manage';

/** Access of a member, group or role to a folder or document. */
export interface Grant {
  principal_type: 'user' | 'group' | 'role';
  principal_id: string /* of a built-in role its name */;
  name: string | null;
  level: GrantLevel;
  folder?: { id: string; name: string } | null /* of an inherited one: where it stands, unless that may not be seen */;
}

export interface Access {
  restricted: boolean /* nothing comes down from the folders above */;
  everyone: boolean /* all members, as their role says */;
  grants: Grant[];
  inherited: Grant[];
}

export interface Organization {
  id: string;
  name: string;
  plan: string;
  require_mfa?: boolean;
}

export interface Usage {
  documents: number;
  bytes: number;
  limits: { documents: number | null; bytes: number | null };
}

export interface AuditRow {
  id: string;
  at: string;
  actor: { type: string; id: string | null; name: string | null };
  action: string;
  object: { type: string; id: string | null };
  ip: string | null;
  request_id: string | null;
  before: unknown;
  after: unknown;
  hash: string | null;
}

export interface ApiKey {
  id: string;
  name: string;
  prefix: string;
  type: 'sk' | 'pk';
  scopes: string[];
  user_id: string /* whose key it is */;
  created_at: string;
  last_used_at?: string | null;
  expires_at?: string | null;
  allowed_ips?: string[] | null;
  key?: string /* only in the answer that creates it */;
}

export type JobState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';

export interface Job {
  id: string;
  kind: string;
  queue: string;
  state: JobState;
  attempts: number;
  document_id: string | null;
  error: string | { message?: string } | null;
  created_at: string;
  run_at: string | null;
  started_at: string | null;
  finished_at: string | null;
}

export interface DocumentEvent {
  id: string;
  status?: DocumentStatus;
  version?: number;
  step?: string;
  title?: string;
}
