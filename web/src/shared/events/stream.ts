/*
 * The stream of changes of this organization, reconnected for as long as it is wanted. Browsers allow six connections
 * to a server over HTTP/1.1, so only one tab holds the stream and passes events on to the others.
 */
import { request } from '@/shared/api/client';
import { backoffMs, sleep } from '@/shared/lib/backoff';
import { EventParser, type ServerEvent } from './sse';

export interface StreamListener {
  onEvent(event: ServerEvent): void;
  onConnected(connected: boolean): void;
}

type Message = { kind: 'event'; event: ServerEvent } | { kind: 'connected'; connected: boolean } | { kind: 'hello' };

const silenceMs = 90_000; /* the server pings more often than this; a line without a sound is dead */

/** Listens until the signal fires. */
export function followEvents(scope: string, listener: StreamListener, signal: AbortSignal): void {
  const name = 'dms.events.' + scope;
  const channel = typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel(name);
  let leading = false;
  let connected = false;
  const shared: StreamListener = {
    onEvent: (event) => {
      listener.onEvent(event);
      channel?.postMessage({ kind: 'event', event } satisfies Message);
    },
    onConnected: (now) => {
      connected = now;
      listener.onConnected(now);
      channel?.postMessage({ kind: 'connected', connected: now } satisfies Message);
    },
  };
  const lead = () => {
    leading = true;
    return keepConnected(shared, signal);
  };

  channel?.addEventListener('message', ({ data }: MessageEvent<Message>) => {
    if (data.kind === 'hello') {
      if (leading) channel.postMessage({ kind: 'connected', connected } satisfies Message);
    } else if (data.kind === 'event') listener.onEvent(data.event);
    else listener.onConnected(data.connected);
  });
  channel?.postMessage({ kind: 'hello' } satisfies Message);
  signal.addEventListener('abort', () => channel?.close());

  const locks = navigator.locks as LockManager | undefined;
  if (locks === undefined || channel === undefined) void lead();
  else locks.request(name, { signal }, lead).catch(() => undefined); /* rejects only when the signal fires */
}

async function keepConnected(listener: StreamListener, signal: AbortSignal): Promise<void> {
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      await readOnce(
        {
          ...listener,
          onEvent: (event) => {
            attempt = 0;
            listener.onEvent(event);
          },
        },
        signal,
      );
    } catch {
      /* whatever it was, the answer is to come back later; the banner tells the user when nothing answers */
    }
    if (signal.aborted) return;
    listener.onConnected(false);
    await sleep(backoffMs(attempt), signal);
  }
}

async function readOnce(listener: StreamListener, outer: AbortSignal): Promise<void> {
  const silence = new AbortController();
  const stop = () => silence.abort();
  outer.addEventListener('abort', stop);
  let timer = setTimeout(stop, silenceMs);
  try {
    const response = await request('/events', { headers: { Accept: 'text/event-stream' }, signal: silence.signal });
    if (response.body === null) return;
    listener.onConnected(true);
    const parser = new EventParser();
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      clearTimeout(timer);
      timer = setTimeout(stop, silenceMs);
      for (const event of parser.push(decoder.decode(part.value, { stream: true }))) listener.onEvent(event);
    }
  } finally {
    clearTimeout(timer);
    outer.removeEventListener('abort', stop);
  }
}
