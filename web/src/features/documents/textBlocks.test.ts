import { describe, expect, test } from 'vitest';
import { cutIntoBlocks, findInBlocks, findPassage, firstMatch, segmentsOf } from './textBlocks';

describe('the text of a document', () => {
  test('is cut at pages and keeps every character', () => {
    const text = 'first page\fsecond\n' + 'line of text\n'.repeat(2000) + '\fthird';
    const blocks = cutIntoBlocks(text);
    expect(blocks.filter((block) => block.first).map((block) => block.page)).toEqual([1, 2, 3]);
    expect(blocks.length).toBeGreaterThan(4);
    const pages = [1, 2, 3].map((page) =>
      blocks
        .filter((block) => block.page === page)
        .map((block) => block.text)
        .join(''),
    );
    expect(pages.join('\f')).toBe(text);
  });

  test('ends with its last page, not with an empty one', () => {
    expect(cutIntoBlocks('one\ftwo\f\n').map((block) => block.text)).toEqual(['one', 'two']);
    expect(cutIntoBlocks('')).toHaveLength(1);
  });

  test('is never cut inside a character', () => {
    const blocks = cutIntoBlocks('x' + '🙂'.repeat(9000));
    expect(blocks.every((block) => !/^[\udc00-\udfff]/.test(block.text))).toBe(true);
    expect(blocks.map((block) => block.text).join('')).toHaveLength(18_001);
  });

  test('shows the match that the search result meant', () => {
    const blocks = cutIntoBlocks('a worker here\fmore\fthe worker  of\npage three and a worker');
    const matches = findInBlocks(blocks, ['worker']);
    expect(matches).toHaveLength(3);
    expect(firstMatch(matches, blocks, null, 1)).toBe(0);
    expect(firstMatch(matches, blocks, null, 2)).toBe(1);
    const passage = findPassage(blocks, '… page three and a worker …', 3);
    expect(passage).toMatchObject({ block: 2, start: 15 });
    expect(firstMatch(matches, blocks, passage, 3)).toBe(2);
    expect(firstMatch([], blocks, null, 9)).toBe(0);
  });

  test('holds a snippet whatever its white space, also where only its beginning is the same', () => {
    const blocks = cutIntoBlocks('x\none two\nthree   four five six seven eight nine ten (eleven)');
    expect(findPassage(blocks, 'one two three four', null)).toMatchObject({ start: 2 });
    expect(findPassage(blocks, 'one two three four five six seven eight and then different', 7)).toMatchObject({
      start: 2,
    });
    expect(findPassage(blocks, 'ten (eleven)', null)).not.toBeNull();
    expect(findPassage(blocks, 'nowhere', null)).toBeNull();
    expect(findPassage(blocks, ' … ', null)).toBeNull();
  });

  test('is shown with matches and passage, each where it stands', () => {
    const matches = [
      { block: 0, start: 2, end: 4 },
      { block: 0, start: 6, end: 8 },
    ];
    const segments = segmentsOf('0123456789', matches, 5, { start: 3, end: 7 });
    expect(
      segments.map(
        ({ text, match, passage }) => `${text}${match === null ? '' : `m${String(match)}`}${passage ? 'p' : ''}`,
      ),
    ).toEqual(['01', '2m5', '3m5p', '45p', '6m6p', '7m6', '89']);
  });
});
