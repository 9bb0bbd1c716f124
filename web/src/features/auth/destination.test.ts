import { beforeEach, expect, test, vi } from 'vitest';
import { destination } from './destination';

beforeEach(() => vi.stubGlobal('location', new URL('https://dms.example/sign-in')));

test('leads to a path of this application and nowhere else', () => {
  expect(destination('/search?q=a%20b&mode=keyword')).toBe('/search?q=a%20b&mode=keyword');
  for (const evil of [
    null,
    '',
    'https://evil.example/',
    '//evil.example/x',
    '/\\evil.example',
    'javascript:alert(1)',
    'documents',
  ])
    expect(destination(evil)).toBe('/');
});
