/* The text of a document, cut so that a browser can show and search long ones. */
import { findWords } from '@/shared/lib/highlights';

export interface TextBlock {
  page: number /* from 1 */;
  first: boolean /* the page begins here */;
  text: string;
}

export interface Match {
  block: number;
  start: number;
  end: number;
}

export interface Segment {
  text: string;
  match: number | null /* number of the match it belongs to */;
  passage: boolean;
}

const blockChars = 6000;

/** Pages are separated by form feeds; long pages are cut at line ends, very long lines anywhere. */
export function cutIntoBlocks(text: string): TextBlock[] {
  const pages = text.split('\f');
  if (pages.length > 1 && pages[pages.length - 1]?.trim() === '') pages.pop();
  return pages.flatMap((content, index) =>
    cutPage(content).map((part, nth) => ({ page: index + 1, first: nth === 0, text: part })),
  );
}

function cutPage(content: string): string[] {
  const parts: string[] = [];
  let from = 0;
  while (content.length - from > blockChars) {
    const line = content.lastIndexOf('\n', from + blockChars);
    const end = line > from ? line + 1 : cutWithoutSplitting(content, from + blockChars);
    parts.push(content.slice(from, end));
    from = end;
  }
  parts.push(content.slice(from));
  return parts;
}

/* Not between the two halves of one character. */
function cutWithoutSplitting(content: string, at: number): number {
  const unit = content.charCodeAt(at);
  return unit >= 0xdc00 && unit <= 0xdfff ? at + 1 : at;
}

export function findInBlocks(blocks: readonly TextBlock[], words: readonly string[]): Match[] {
  return blocks.flatMap((block, index) =>
    findWords(block.text, words).map(([start, end]) => ({ block: index, start, end })),
  );
}

/** The match to show first: the first one at or after the passage, else on the page, else the first of all. */
export function firstMatch(
  matches: readonly Match[],
  blocks: readonly TextBlock[],
  passage: Match | null,
  page: number,
): number {
  const after = matches.findIndex((match) =>
    passage === null
      ? (blocks[match.block]?.page ?? 0) >= page
      : match.block > passage.block || (match.block === passage.block && match.end > passage.start),
  );
  return Math.max(0, after);
}

/** Where a snippet stands, whatever its white space; falls back to where its beginning stands. */
export function findPassage(blocks: readonly TextBlock[], snippet: string, page: number | null): Match | null {
  const words = snippet
    .replace(/^[\s…]+|[\s…]+$/g, '')
    .split(/\s+/)
    .filter((word) => word !== '');
  if (words.length === 0) return null;
  for (const count of [Math.min(words.length, 80), Math.min(words.length, 8)]) {
    const pattern = new RegExp(words.slice(0, count).map(escape).join('\\s+'), 'u');
    for (const only of page === null ? [null] : [page, null])
      for (const [index, block] of blocks.entries()) {
        if (only !== null && block.page !== only) continue;
        const found = pattern.exec(block.text);
        if (found !== null) return { block: index, start: found.index, end: found.index + found[0].length };
      }
  }
  return null;
}

function escape(word: string): string {
  return word.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}

/** A block cut wherever a match or the passage begins or ends. `matches` are those of this block, numbered from `offset`. */
export function segmentsOf(
  text: string,
  matches: readonly Match[],
  offset: number,
  passage: { start: number; end: number } | null,
): Segment[] {
  const cuts = new Set([0, text.length]);
  for (const { start, end } of passage === null ? matches : [...matches, passage]) {
    cuts.add(start);
    cuts.add(end);
  }
  const edges = [...cuts].sort((a, b) => a - b);
  const segments: Segment[] = [];
  let at = 0;
  for (let i = 0; i + 1 < edges.length; i++) {
    const start = edges[i] ?? 0;
    const end = edges[i + 1] ?? 0;
    while ((matches[at]?.end ?? Infinity) <= start) at++;
    const match = matches[at];
    segments.push({
      text: text.slice(start, end),
      match: match !== undefined && match.start <= start && start < match.end ? offset + at : null,
      passage: passage !== null && passage.start <= start && start < passage.end,
    });
  }
  return segments;
}
