/* Marks in text. The API counts in Unicode code points, JavaScript in UTF-16 units; the border is here. */

export interface TextPart {
  text: string;
  marked: boolean;
}

/** Cuts a snippet at [start, end) ranges of code points. Ranges may overlap, touch, or lie outside. */
export function partsByCodePoints(snippet: string, ranges: readonly (readonly [number, number])[]): TextPart[] {
  const points = Array.from(snippet);
  const parts: TextPart[] = [];
  let from = 0;
  for (const [start, end] of mergeRanges(ranges, points.length)) {
    if (start > from) parts.push({ text: points.slice(from, start).join(''), marked: false });
    parts.push({ text: points.slice(start, end).join(''), marked: true });
    from = end;
  }
  if (from < points.length) parts.push({ text: points.slice(from).join(''), marked: false });
  return parts;
}

function mergeRanges(ranges: readonly (readonly [number, number])[], length: number): [number, number][] {
  const merged: [number, number][] = [];
  const inside = ranges
    .map(([start, end]): [number, number] => [Math.max(0, start), Math.min(length, end)])
    .filter(([start, end]) => start < end)
    .sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  for (const range of inside) {
    const last = merged[merged.length - 1];
    if (last !== undefined && range[0] <= last[1]) last[1] = Math.max(last[1], range[1]);
    else merged.push(range);
  }
  return merged;
}

/** The words of a query that are worth marking, longest first; a quoted phrase stays whole. */
export function wordsToMark(query: string): string[] {
  const words = new Set<string>();
  for (const [, phrase, word] of query.matchAll(/"([^"]+)"|([\p{L}\p{N}][\p{L}\p{N}\p{M}_./-]*)/gu)) {
    const text = (phrase ?? word ?? '').replace(/[._/-]+$/, '').trim();
    if (Array.from(text).length > 1 || /[\p{N}]/u.test(text)) words.add(text);
  }
  return [...words].sort((a, b) => b.length - a.length);
}

/** Where the words stand in a text, as UTF-16 ranges, ignoring case and accents. */
export function findWords(text: string, words: readonly string[]): [number, number][] {
  if (words.length === 0) return [];
  const { folded, origin } = foldText(text);
  const alternatives = words.map((word) => escapePattern(foldText(word).folded)).filter((word) => word !== '');
  if (alternatives.length === 0) return [];
  const found: [number, number][] = [];
  for (const match of folded.matchAll(new RegExp(alternatives.join('|'), 'gu')))
    found.push([origin[match.index] ?? 0, origin[match.index + match[0].length] ?? text.length]);
  return found;
}

/** Lower case without accents, with the way back: origin[i] is where folded[i] comes from. */
function foldText(text: string): { folded: string; origin: number[] } {
  let folded = '';
  const origin: number[] = [];
  let at = 0;
  for (const point of text) {
    const plain = point.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
    for (let i = 0; i < plain.length; i++) origin.push(at);
    folded += plain;
    at += point.length;
  }
  origin.push(at);
  return { folded, origin };
}

function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&').replace(/\s+/g, '\\s+');
}
