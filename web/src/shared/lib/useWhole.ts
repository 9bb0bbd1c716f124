import { useQuery } from '@tanstack/react-query';
import type { Query } from '@/shared/api/client';
import type { Page } from '@/shared/api/types';

type Load<T> = (query: Query, options: { signal: AbortSignal }) => Promise<Page<T>>;

const pageSize = 100;
const mostPages = 20; /* nobody chooses among more than that by a list */

/** A list of the API as a whole, to choose from and for the names in it. Invalidated with the list of pages of that key. */
export function useWhole<T>(key: string, load: Load<T>, enabled: boolean): T[] {
  const { data } = useQuery({
    queryKey: [key, 'whole'],
    queryFn: async ({ signal }) => {
      const items: T[] = [];
      let cursor: string | null = null;
      for (let page = 0; page < mostPages; page++) {
        const next: Page<T> = await load({ limit: pageSize, cursor }, { signal });
        items.push(...next.items);
        cursor = next.next_cursor;
        if (cursor === null) break;
      }
      return items;
    },
    enabled,
    staleTime: 60_000,
  });
  return data ?? [];
}
