/*
 * Who is signed in. The access token lives in memory only; the refresh token in localStorage ("stay signed in") or in
 * sessionStorage. Refresh tokens rotate and a reused one ends the session, so only one tab refreshes at a time and tells
 * the others what it got.
 */
import { Store } from '@/shared/lib/store';
import { ApiError } from './problem';
import type { Tokens } from './types';

export interface SessionState {
  signedIn: boolean;
  expired: boolean /* ended by the server, not by the user */;
}

export interface SessionEnvironment {
  exchange(refreshToken: string): Promise<Tokens>;
  durable: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
  perTab: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
  locks: Pick<LockManager, 'request'> | undefined;
  channel: Pick<BroadcastChannel, 'postMessage' | 'addEventListener'> | undefined;
  nowMs(): number;
}

type Message = { kind: 'tokens'; previous: string; tokens: Tokens } | { kind: 'signed_out'; refresh: string };

const storageKey = 'dms.refresh';
const lockName = 'dms.refresh';
const earlyMs = 20_000; /* refresh before the server would refuse, clocks and lines being what they are */

export class Session {
  readonly state: Store<SessionState>;
  private access: { token: string; untilMs: number } | null = null;
  private refreshing: Promise<string | null> | null = null;

  constructor(private readonly env: SessionEnvironment) {
    this.state = new Store<SessionState>({ signedIn: this.refreshToken() !== null, expired: false });
    env.channel?.addEventListener('message', (event) => this.hear(event.data as Message));
  }

  signIn(tokens: Tokens, staySignedIn: boolean): void {
    this.forget();
    (staySignedIn ? this.env.durable : this.env.perTab).setItem(storageKey, tokens.refresh_token);
    this.adopt(tokens);
    this.state.set({ signedIn: true, expired: false });
  }

  /** Whether this session outlives the browser's window. */
  stays(): boolean {
    return this.env.durable.getItem(storageKey) !== null;
  }

  /** Forgets the tokens here and in the other tabs of this session; returns the refresh token to revoke, if any. */
  signOut(): string | null {
    const refresh = this.refreshToken();
    if (refresh !== null) this.tell({ kind: 'signed_out', refresh });
    this.end(/* expired= */ false);
    return refresh;
  }

  /**
   * A token that should be accepted, or null when nobody is signed in. `rejected` is a token the server has just refused.
   * Throws when the server can not be reached.
   */
  accessToken(rejected?: string): Promise<string | null> {
    const current = this.usable(rejected);
    if (current !== null) return Promise.resolve(current);
    if (this.refreshToken() === null) return Promise.resolve(null);
    this.refreshing ??= this.refreshAlone(rejected).finally(() => (this.refreshing = null));
    return this.refreshing;
  }

  private async refreshAlone(rejected?: string): Promise<string | null> {
    const work = () => this.refresh(rejected);
    return this.env.locks ? await this.env.locks.request(lockName, work) : await work();
  }

  private async refresh(rejected?: string): Promise<string | null> {
    const current = this.usable(rejected); /* another tab may have done it while this one waited */
    if (current !== null) return current;
    const previous = this.refreshToken();
    if (previous === null) return null;
    try {
      const tokens = await this.env.exchange(previous);
      this.replace(previous, tokens);
      this.tell({ kind: 'tokens', previous, tokens });
      return tokens.access_token;
    } catch (error) {
      if (!(error instanceof ApiError) || error.status < 400 || error.status >= 500 || error.status === 429)
        throw error;
      this.end(/* expired= */ true);
      return null;
    }
  }

  private usable(rejected?: string): string | null {
    if (this.access === null || this.access.token === rejected) return null;
    return this.access.untilMs > this.env.nowMs() ? this.access.token : null;
  }

  private adopt(tokens: Tokens): void {
    const lifeMs = tokens.expires_in * 1000;
    this.access = { token: tokens.access_token, untilMs: this.env.nowMs() + Math.max(lifeMs - earlyMs, lifeMs / 2) };
  }

  private replace(previous: string, tokens: Tokens): void {
    for (const storage of [this.env.durable, this.env.perTab])
      if (storage.getItem(storageKey) === previous) storage.setItem(storageKey, tokens.refresh_token);
    this.adopt(tokens);
  }

  private refreshToken(): string | null {
    return this.env.perTab.getItem(storageKey) ?? this.env.durable.getItem(storageKey);
  }

  private hear(message: Message): void {
    if (message.kind === 'tokens') {
      const mine = this.refreshToken();
      if (mine === message.previous || mine === message.tokens.refresh_token)
        this.replace(message.previous, message.tokens);
    } else if (this.refreshToken() === message.refresh || this.refreshToken() === null) {
      this.end(/* expired= */ false);
    }
  }

  private tell(message: Message): void {
    this.env.channel?.postMessage(message);
  }

  private forget(): void {
    this.access = null;
    this.env.perTab.removeItem(storageKey);
    this.env.durable.removeItem(storageKey);
  }

  private end(expired: boolean): void {
    this.forget();
    this.state.set({ signedIn: false, expired });
  }
}
