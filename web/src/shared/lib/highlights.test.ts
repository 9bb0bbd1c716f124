import { describe, expect, test } from 'vitest';
import { findWords, partsByCodePoints, wordsToMark } from './highlights';

const show = (snippet: string, ranges: [number, number][]) =>
  partsByCodePoints(snippet, ranges)
    .map((part) => (part.marked ? `[${part.text}]` : part.text))
    .join('');

describe('marks by code points', () => {
  test('count characters outside the basic plane as one', () => {
    expect(show('🙂🙂 word 🙂', [[3, 7]])).toBe('🙂🙂 [word] 🙂');
    expect(
      show('🙂 é 漢', [
        [0, 1],
        [4, 5],
      ]),
    ).toBe('[🙂] é [漢]');
  });

  test('may overlap, touch, be out of order, empty or outside', () => {
    expect(
      show('abcdef', [
        [4, 5],
        [0, 2],
        [1, 3],
        [3, 4],
      ]),
    ).toBe('[abcde]f');
    expect(
      show('abc', [
        [2, 9],
        [-3, 1],
        [1, 1],
        [7, 8],
      ]),
    ).toBe('[a]b[c]');
    expect(show('abc', [])).toBe('abc');
    expect(show('', [[0, 1]])).toBe('');
  });

  test('lose no text', () => {
    const snippet = 'a🙂b<script>c';
    const text = partsByCodePoints(snippet, [[1, 4]])
      .map((part) => part.text)
      .join('');
    expect(text).toBe(snippet);
  });
});

describe('the words of a query', () => {
  test('are those that say something, with codes and phrases whole', () => {
    expect(wordsToMark('ADR-018, the "second page" v1.2. a 7')).toEqual(['second page', 'ADR-018', 'v1.2', 'the', '7']);
    expect(wordsToMark('  ?! ()" ')).toEqual([]);
  });

  test('are found whatever their case and accents, and where they stand', () => {
    const text = '🙂 Über den Wolken: UBER, u\u0308ber';
    const found = findWords(text, ['über']).map(([start, end]) => text.slice(start, end));
    expect(found).toEqual(['Über', 'UBER', 'u\u0308ber']);
  });

  test('are text, not patterns', () => {
    expect(findWords('a+b (c) [d] $', ['a+b', '(c)', '$'])).toHaveLength(3);
    expect(findWords('anything', ['.*'])).toEqual([]);
    expect(findWords('two  \n words', ['two words'])).toEqual([[0, 12]]);
    expect(findWords('abc', [])).toEqual([]);
    expect(findWords('abc', ['\u0301'])).toEqual([]);
  });
});
