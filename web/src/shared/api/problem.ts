/* RFC 9457 problems as one kind of Error. Knows the shape of answers, nothing of who asked. */

export interface FieldError {
  field: string;
  message: string;
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly requestId: string | null = null,
    readonly fields: FieldError[] = [],
    readonly retryAfterS: number | null = null,
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

/** The server could not be reached at all. */
export class NetworkError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'NetworkError';
  }
}

type Headers = { get(name: string): string | null };

/** Reads a failed answer. Proxies answer without a problem body: then the status line has to do. */
export function problemFrom(status: number, headers: Headers, body: string, fallback: string): ApiError {
  const problem = parseObject(body);
  const text = (key: string) => (typeof problem[key] === 'string' && problem[key] !== '' ? problem[key] : null);
  return new ApiError(
    status,
    text('code') ?? 'http_' + String(status),
    text('detail') ?? text('title') ?? fallback,
    text('request_id') ?? headers.get('X-Request-Id'),
    fieldErrors(problem.errors),
    retryAfter(headers.get('Retry-After')),
  );
}

/** Seconds, from either form of the header; null when absent or not understood. */
export function retryAfter(value: string | null, nowMs = Date.now()): number | null {
  if (value === null) return null;
  if (/^\d+$/.test(value.trim())) return Number(value);
  const at = Date.parse(value);
  return Number.isNaN(at) ? null : Math.max(0, Math.ceil((at - nowMs) / 1000));
}

export function isWorthRetrying(error: unknown): boolean {
  if (error instanceof NetworkError) return true;
  return error instanceof ApiError && (error.status === 429 || error.status === 503 || error.status === 502);
}

function parseObject(body: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function fieldErrors(value: unknown): FieldError[] {
  if (!Array.isArray(value)) return [];
  return value.filter(
    (row): row is FieldError =>
      typeof row === 'object' &&
      row !== null &&
      typeof (row as FieldError).field === 'string' &&
      typeof (row as FieldError).message === 'string',
  );
}
