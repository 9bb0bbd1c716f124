/*
 * The one way to the API: adds the token, renews it once when it is refused, turns failures into ApiError and
 * NetworkError, and keeps track of whether the server answers at all.
 */
import { Store } from '@/shared/lib/store';
import { texts } from '@/shared/texts';
import { NetworkError, problemFrom } from './problem';
import { Session } from './session';
import type { Tokens } from './types';

export const apiBase = '/api/v1';

/** False from the first request that got no answer until the next one that got any. */
export const reachable = new Store(true);

export type Query = Record<string, string | number | boolean | null | undefined>;

export interface RequestOptions {
  method?: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  query?: Query;
  json?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  anonymous?: boolean;
  cookies?: boolean /* only for sign-in by another provider, which is bound to the browser that began it */;
}

export const session = new Session({
  exchange: (refresh_token) =>
    fetchJson<Tokens>('/auth/refresh', { method: 'POST', json: { refresh_token }, anonymous: true }),
  durable: localStorage,
  perTab: sessionStorage,
  locks: navigator.locks /* absent on plain http */,
  channel: typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel('dms.session'),
  nowMs: Date.now,
});

/** The answer of a request that succeeded; the caller reads its body. */
export async function request(path: string, options: RequestOptions = {}): Promise<Response> {
  let token = options.anonymous ? null : await session.accessToken();
  let response = await send(path, options, token);
  if (response.status === 401 && token !== null) {
    token = await session.accessToken(token);
    if (token !== null) response = await send(path, options, token);
  }
  if (response.ok) return response;
  throw problemFrom(response.status, response.headers, await response.text(), texts.errors.status(response.status));
}

export async function fetchJson<T>(path: string, options: RequestOptions = {}): Promise<T> {
  const response = await request(path, options);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

/** JSON with its ETag, for a later If-Match. */
export async function fetchTagged<T>(
  path: string,
  options: RequestOptions = {},
): Promise<{ data: T; etag: string | null }> {
  const response = await request(path, options);
  return { data: (await response.json()) as T, etag: response.headers.get('ETag') };
}

export function withQuery(path: string, query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== null && value !== undefined && value !== '') parameters.set(name, String(value));
  const text = parameters.toString();
  return text === '' ? path : path + '?' + text;
}

/** Paths that begin with a root route (/version) stand outside the API base. */
export function urlOf(path: string): string {
  return path.startsWith('/version') || path.startsWith('/health') ? path : apiBase + path;
}

async function send(path: string, options: RequestOptions, token: string | null): Promise<Response> {
  const headers: Record<string, string> = { Accept: 'application/json', ...options.headers };
  if (token !== null) headers.Authorization = 'Bearer ' + token;
  if (options.json !== undefined) headers['Content-Type'] = 'application/json';
  try {
    const response = await fetch(withQuery(urlOf(path), options.query), {
      method: options.method ?? 'GET',
      headers,
      body: options.json === undefined ? null : JSON.stringify(options.json),
      signal: options.signal ?? null,
      credentials: options.cookies === true ? 'same-origin' : 'omit',
      cache: 'no-store',
    });
    reachable.set(true);
    return response;
  } catch (error) {
    if (options.signal?.aborted) throw error;
    reachable.set(false);
    throw new NetworkError(texts.errors.network);
  }
}
