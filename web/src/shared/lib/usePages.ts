import { useInfiniteQuery } from '@tanstack/react-query';
import type { Query } from '@/shared/api/client';
import type { Page } from '@/shared/api/types';

type Load<T> = (query: Query, options: { signal: AbortSignal }) => Promise<Page<T>>;

/** A list of the API, page by page: `items` are those that were fetched so far. */
export function usePages<T>(key: unknown[], load: Load<T>, filter: Query = {}, refreshMs?: number) {
  const list = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam, signal }) => load({ limit: 50, cursor: pageParam, ...filter }, { signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    ...(refreshMs === undefined ? {} : { refetchInterval: refreshMs }),
  });
  return { ...list, items: list.data?.pages.flatMap((page) => page.items) ?? [] };
}
