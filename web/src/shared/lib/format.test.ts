import { expect, test } from 'vitest';
import { backoffMs } from './backoff';
import { formatAgo, formatBytes } from './format';
import { randomId } from './id';

test('sizes are short in every magnitude', () => {
  const sizes = [0, 999, 1000, 1_450_000, 999_000_000, 5_300_000_000_000];
  expect(sizes.map((size) => formatBytes(size, 'en'))).toEqual(['0 B', '999 B', '1 kB', '1.5 MB', '999 MB', '5.3 TB']);
});

test('times are relative for a week, then dates', () => {
  const now = Date.parse('2026-05-10T12:00:00Z');
  const ago = (iso: string) => formatAgo(iso, now, 'en');
  expect(ago('2026-05-10T11:59:58Z')).toBe('now');
  expect(ago('2026-05-10T11:59:30Z')).toBe('30 seconds ago');
  expect(ago('2026-05-10T11:00:01Z')).toBe('59 minutes ago');
  expect(ago('2026-05-09T11:00:00Z')).toBe('yesterday');
  expect(ago('2026-04-01T12:00:00Z')).toBe('Apr 1, 2026');
});

test('pauses double up to a limit and are spread', () => {
  expect([0, 1, 2, 50].map((attempt) => backoffMs(attempt, 1000, 30_000, () => 1))).toEqual([1000, 2000, 4000, 30_000]);
  expect(backoffMs(3, 1000, 30_000, () => 0)).toBe(4000);
});

test('ids are version 4, with and without randomUUID', () => {
  const pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  expect(randomId()).toMatch(pattern);
  const descriptor = Object.getOwnPropertyDescriptor(globalThis, 'crypto');
  const real = globalThis.crypto;
  Object.defineProperty(globalThis, 'crypto', {
    configurable: true,
    value: { getRandomValues: real.getRandomValues.bind(real) },
  });
  expect(randomId()).toMatch(pattern);
  if (descriptor) Object.defineProperty(globalThis, 'crypto', descriptor);
});
