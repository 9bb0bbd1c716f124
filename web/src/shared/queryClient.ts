/* How answers are cached and failures repeated. */
import { MutationCache, QueryClient } from '@tanstack/react-query';
import { ApiError, isWorthRetrying } from '@/shared/api/problem';
import { backoffMs } from '@/shared/lib/backoff';
import { notifyError } from '@/shared/ui/notify';

const maxTries = 3;

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      networkMode: 'always' /* the server may be on this very machine: navigator.onLine says nothing about it */,
      retry: (failures, error) => failures < maxTries && isWorthRetrying(error),
      retryDelay: (attempt, error) =>
        error instanceof ApiError && error.retryAfterS !== null
          ? Math.min(error.retryAfterS, 30) * 1000
          : backoffMs(attempt, 500),
    },
    mutations: { networkMode: 'always' },
  },
  mutationCache: new MutationCache({
    onError: (error, _variables, _context, mutation) => {
      if (mutation.meta?.ownError !== true) notifyError(error);
    },
  }),
});
