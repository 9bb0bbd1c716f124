import { useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { uploads } from '@/features/upload/uploads';
import { followEvents } from '@/shared/events/stream';
import { useMe } from '@/shared/lib/useMe';
import { eventsConnected, parseDocumentEvent, showChange } from './liveUpdates';

const refreshEveryMs = 1000;

/** Follows the changes of the organization for as long as somebody is signed in. */
export function useDocumentEvents(): void {
  const client = useQueryClient();
  const { me } = useMe();
  const scope = me === undefined ? null : `${me.organization.id}.${me.user.id}`;
  useEffect(() => {
    if (scope === null) return;
    const stop = new AbortController();
    const refreshSoon = collect((key) => void client.invalidateQueries({ queryKey: [key] }), stop.signal);
    let lost = false;
    let greeted = true;
    followEvents(
      scope,
      {
        onConnected: (connected) => {
          eventsConnected.set(connected);
          if (connected && lost) for (const key of ['documents', 'document']) refreshSoon(key);
          lost = !connected;
          greeted = !connected;
        },
        onEvent: ({ event, data }) => {
          if (event === 'resync') {
            /* the server may have missed something; the first one only says that a connection has begun */
            if (greeted) for (const key of ['documents', 'document', 'trash']) refreshSoon(key);
            greeted = true;
            return;
          }
          const change = event === 'document' ? parseDocumentEvent(data) : null;
          if (change === null) return;
          uploads.hear(change);
          showChange(client, change, refreshSoon);
        },
      },
      stop.signal,
    );
    return () => {
      stop.abort();
      eventsConnected.set(false);
    };
  }, [client, scope]);
}

/* Many changes, few requests. */
function collect(act: (key: string) => void, signal: AbortSignal): (key: string) => void {
  const waiting = new Set<string>();
  return (key) => {
    if (waiting.has(key)) return;
    waiting.add(key);
    setTimeout(() => {
      waiting.delete(key);
      if (!signal.aborted) act(key);
    }, refreshEveryMs);
  };
}
