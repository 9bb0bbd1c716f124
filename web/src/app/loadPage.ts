import { api } from '@/shared/api/api';
import { reachable } from '@/shared/api/client';
import { backoffMs, sleep } from '@/shared/lib/backoff';

/**
 * Loads the code of a page, waiting as long as the server is away. Rejects when the server is there and the code is not:
 * a new release has replaced it, and the page has to be loaded again.
 */
export async function loadPage<T>(load: () => Promise<T>): Promise<T> {
  for (let attempt = 0, refused = 0; ; attempt++) {
    try {
      return await load();
    } catch (error) {
      const answers = await api.alive().then(
        () => true,
        () => reachable.get(),
      );
      if (answers && ++refused > 1) throw error;
      await sleep(backoffMs(attempt, 500, 5000));
    }
  }
}
