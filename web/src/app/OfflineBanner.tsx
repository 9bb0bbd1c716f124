import { useQueryClient } from '@tanstack/react-query';
import WifiOff from 'lucide-react/icons/wifi-off';
import { useEffect } from 'react';
import { api } from '@/shared/api/api';
import { reachable } from '@/shared/api/client';
import { backoffMs, sleep } from '@/shared/lib/backoff';
import { useStore } from '@/shared/lib/store';
import { texts } from '@/shared/texts';
import classes from './OfflineBanner.module.css';

/* Shown from the first request that got no answer; asks on until one comes, then loads everything again. */
export function OfflineBanner() {
  const online = useStore(reachable);
  const client = useQueryClient();
  useEffect(() => {
    if (online) return;
    const stop = new AbortController();
    void askUntilAnswered(stop.signal).then((answered) => {
      if (answered) void client.invalidateQueries();
    });
    return () => stop.abort();
  }, [online, client]);

  return (
    <div role="status">
      {!online && (
        <div className={classes.banner}>
          <WifiOff size={17} aria-hidden />
          {texts.offline.banner}
        </div>
      )}
    </div>
  );
}

async function askUntilAnswered(signal: AbortSignal): Promise<boolean> {
  for (let attempt = 0; !signal.aborted; attempt++) {
    await sleep(backoffMs(attempt, 1000, 10_000), signal);
    if (signal.aborted) break;
    const answered = await api.alive({ signal }).then(
      () => true,
      () => reachable.get() /* an answer with an error is an answer */,
    );
    if (answered) return true;
  }
  return reachable.get();
}
