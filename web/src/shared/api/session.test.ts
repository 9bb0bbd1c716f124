import { beforeEach, expect, test } from 'vitest';
import { ApiError, NetworkError } from './problem';
import { Session } from './session';
import type { Tokens } from './types';

class Box {
  private values = new Map<string, string>();
  getItem = (key: string) => this.values.get(key) ?? null;
  setItem = (key: string, value: string) => void this.values.set(key, value);
  removeItem = (key: string) => void this.values.delete(key);
}

/* One lock for all tabs, as the browser has it. */
class Locks {
  private last: Promise<unknown> = Promise.resolve();
  request = (_name: string, work: () => Promise<unknown>) => {
    const run = this.last.then(work);
    this.last = run.catch(() => undefined);
    return run;
  };
}

class Air {
  private tabs: { tab: object; hear: (event: { data: unknown }) => void }[] = [];
  channel() {
    const tab = {};
    return {
      postMessage: (data: unknown) => {
        for (const other of this.tabs) if (other.tab !== tab) other.hear({ data });
      },
      addEventListener: (_type: string, hear: (event: { data: unknown }) => void) => this.tabs.push({ tab, hear }),
    };
  }
}

const durable = new Box();
let locks: Locks;
let air: Air;
let now: number;
let issued: number;
let exchanged: string[];
let answer: (refresh: string) => Promise<Tokens>;

beforeEach(() => {
  durable.removeItem('dms.refresh');
  locks = new Locks();
  air = new Air();
  now = 0;
  issued = 0;
  exchanged = [];
  answer = () => Promise.resolve(fresh());
});

function fresh(): Tokens {
  issued++;
  return {
    access_token: `a${String(issued)}`,
    refresh_token: `r${String(issued)}`,
    token_type: 'Bearer',
    expires_in: 900,
  };
}

function openTab(perTab = new Box()): Session {
  return new Session({
    exchange: (refresh) => {
      exchanged.push(refresh);
      return answer(refresh);
    },
    durable,
    perTab,
    locks: locks as unknown as LockManager,
    channel: air.channel() as unknown as BroadcastChannel,
    nowMs: () => now,
  });
}

test('nobody is signed in at first', async () => {
  const tab = openTab();
  expect(tab.state.get()).toEqual({ signedIn: false, expired: false });
  expect(await tab.accessToken()).toBeNull();
  expect(exchanged).toEqual([]);
});

test('a token is used until shortly before its end, then renewed once for all who ask', async () => {
  const tab = openTab();
  tab.signIn(fresh(), false);
  now = 879_000;
  expect(await tab.accessToken()).toBe('a1');
  now = 881_000;
  expect(await Promise.all([tab.accessToken(), tab.accessToken(), tab.accessToken('a1')])).toEqual(['a2', 'a2', 'a2']);
  expect(exchanged).toEqual(['r1']);
});

test('a refused token is renewed although it should be good', async () => {
  const tab = openTab();
  tab.signIn(fresh(), false);
  expect(await tab.accessToken('a1')).toBe('a2');
  expect(await tab.accessToken('a1')).toBe('a2');
  expect(exchanged).toEqual(['r1']);
});

test('two tabs never use the same refresh token twice', async () => {
  const one = openTab();
  one.signIn(fresh(), true);
  const two = openTab();
  expect(two.state.get().signedIn).toBe(true);
  now = 1_000_000;
  const tokens = await Promise.all([one.accessToken(), two.accessToken()]);
  expect(exchanged).toEqual(['r1']);
  expect(tokens).toEqual(['a2', 'a2']);
});

test('a duplicated tab follows the one that renewed', async () => {
  const box = new Box();
  const one = openTab(box);
  one.signIn(fresh(), false);
  const copy = new Box();
  copy.setItem('dms.refresh', 'r1');
  const two = openTab(copy);
  now = 1_000_000;
  expect(await one.accessToken()).toBe('a2');
  expect(await two.accessToken()).toBe('a2');
  now = 2_000_000;
  expect(await two.accessToken()).toBe('a3');
  expect(exchanged).toEqual(['r1', 'r2']);
});

test('a refresh token that is refused ends the session; a lost line does not', async () => {
  const tab = openTab();
  tab.signIn(fresh(), true);
  now = 1_000_000;
  answer = () => Promise.reject(new NetworkError('away'));
  await expect(tab.accessToken()).rejects.toThrow('away');
  answer = () => Promise.reject(new ApiError(503, 'unavailable', 'busy'));
  await expect(tab.accessToken()).rejects.toThrow('busy');
  expect(tab.state.get().signedIn).toBe(true);
  answer = () => Promise.reject(new ApiError(401, 'unauthorized', 'ended'));
  expect(await tab.accessToken()).toBeNull();
  expect(tab.state.get()).toEqual({ signedIn: false, expired: true });
  expect(durable.getItem('dms.refresh')).toBeNull();
});

test('signing out ends the session in all its tabs and in no other', () => {
  const one = openTab();
  const stranger = openTab();
  stranger.signIn({ ...fresh(), refresh_token: 'other' }, false);
  one.signIn(fresh(), true);
  const two = openTab();
  expect(one.signOut()).toBe('r2');
  expect([one, two, stranger].map((tab) => tab.state.get().signedIn)).toEqual([false, false, true]);
});
