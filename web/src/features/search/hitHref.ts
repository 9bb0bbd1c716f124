import type { SearchHit } from '@/shared/api/types';
import type { TextPart } from '@/shared/lib/highlights';

const mostWords = 8;

/** Where a result leads: to its page, with the words marked that the server has found, not those that were typed. */
export function hitHref(hit: Pick<SearchHit, 'document_id' | 'page'>, parts: readonly TextPart[]): string {
  const found = new Map<string, string>();
  for (const part of parts) if (part.marked) found.set(part.text.trim().toLowerCase(), part.text.trim());
  const words = [...found.values()].slice(0, mostWords).map((word) => (/\s/.test(word) ? `"${word}"` : word));
  const query = new URLSearchParams();
  if (words.length > 0) query.set('find', words.join(' '));
  if (hit.page !== null) query.set('page', String(hit.page));
  return `/documents/${hit.document_id}${query.size === 0 ? '' : '?' + query.toString()}`;
}
