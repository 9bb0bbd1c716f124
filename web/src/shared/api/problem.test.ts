import { expect, test } from 'vitest';
import { ApiError, isWorthRetrying, NetworkError, problemFrom, retryAfter } from './problem';

const headers = (values: Record<string, string> = {}) => new Headers(values);

test('a problem gives its detail, code, fields and request id', () => {
  const body = JSON.stringify({
    title: 'Bad request',
    detail: 'Some fields are wrong.',
    code: 'validation_error',
    request_id: 'r1',
    errors: [{ field: 'email', message: 'is missing' }, 'noise', { field: 1 }],
  });
  const error = problemFrom(400, headers({ 'X-Request-Id': 'r2' }), body, 'fallback');
  expect(error).toMatchObject({
    status: 400,
    code: 'validation_error',
    message: 'Some fields are wrong.',
    requestId: 'r1',
  });
  expect(error.fields).toEqual([{ field: 'email', message: 'is missing' }]);
});

test('an answer that is no problem still gives an error', () => {
  for (const body of ['', '<html>Bad gateway</html>', 'null', '[]', '"x"']) {
    const error = problemFrom(502, headers({ 'X-Request-Id': 'r2' }), body, 'fallback');
    expect(error).toMatchObject({ status: 502, code: 'http_502', message: 'fallback', requestId: 'r2', fields: [] });
  }
});

test('Retry-After is read in both forms', () => {
  expect(retryAfter('17')).toBe(17);
  expect(retryAfter('Sun, 10 May 2026 12:00:10 GMT', Date.parse('2026-05-10T12:00:00Z'))).toBe(10);
  expect(retryAfter('soon')).toBeNull();
  expect(retryAfter(null)).toBeNull();
});

test('only what can pass by itself is tried again', () => {
  const statuses = [400, 401, 404, 409, 429, 500, 502, 503];
  expect(statuses.filter((status) => isWorthRetrying(new ApiError(status, 'x', 'x')))).toEqual([429, 502, 503]);
  expect(isWorthRetrying(new NetworkError('x'))).toBe(true);
  expect(isWorthRetrying(new TypeError('x'))).toBe(false);
});
