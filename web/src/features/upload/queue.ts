/*
 * What happens to the files a person drops: at most a few are sent at a time, a bad one does not stop the rest, a retry
 * never stores a file twice, and each is followed until it can be found. Knows no React and no HTTP: sending and asking
 * are handed in.
 */
import { ApiError, NetworkError } from '@/shared/api/problem';
import type { DmsDocument, DocumentEvent, ProcessingStep } from '@/shared/api/types';
import { randomId } from '@/shared/lib/id';
import { Store } from '@/shared/lib/store';

export type UploadPhase = 'waiting' | 'uploading' | 'processing' | 'done' | 'failed';

export interface Upload {
  id: string;
  name: string;
  size: number;
  sent: number;
  phase: UploadPhase;
  step: ProcessingStep | null;
  documentId: string | null;
  title: string | null;
  duplicateOf: string | null;
  note: string | null;
  failure: Failure | null;
}

export interface Failure {
  message: string;
  requestId: string | null;
  stored: boolean /* the file is safe, only reading it failed */;
}

export interface SendJob {
  file: File;
  key: string;
  documentId: string | null /* set: a new version of this document */;
  onSent: (bytes: number) => void;
  signal: AbortSignal;
}

export type SendFile = (job: SendJob) => Promise<DmsDocument>;

export interface QueueEnvironment {
  send: SendFile;
  fetchDocument(id: string): Promise<DmsDocument>;
  reprocess(id: string): Promise<unknown>;
  wait(ms: number, signal: AbortSignal): Promise<void>;
  explain(error: unknown): string;
  onStored?(document: DmsDocument): void;
  parallel?: number;
}

interface Source {
  file: File;
  key: string;
  target: string | null;
  abort: AbortController;
  version: number | null;
  heardAtMs: number;
}

export const processingSteps: readonly ProcessingStep[] = ['stored', 'typed', 'text', 'chunks', 'vectors', 'done'];

const defaultParallel = 3;
const maxAutomaticTries = 5;
const maxRemembered = 500;
const askAfterMs = 4000; /* events can get lost; then we ask */

export class UploadQueue {
  readonly uploads = new Store<readonly Upload[]>([]);
  private sources = new Map<string, Source>();
  private early = new Map<string, DocumentEvent>(); /* events that come before the answer to the upload */
  private running = 0;

  constructor(private readonly env: QueueEnvironment) {}

  /** Queues files; `target` is the document they become a new version of, or null for new documents. */
  add(files: readonly File[], target: string | null = null): void {
    const added = files.map((file): Upload => {
      const id = randomId();
      this.sources.set(id, {
        file,
        key: randomId(),
        target,
        abort: new AbortController(),
        version: null,
        heardAtMs: 0,
      });
      return {
        id,
        name: file.name,
        size: file.size,
        sent: 0,
        phase: 'waiting',
        step: null,
        documentId: target,
        title: null,
        duplicateOf: null,
        note: null,
        failure: null,
      };
    });
    this.uploads.set([...this.uploads.get(), ...added]);
    this.pump();
  }

  /** Tries a failed one again: sends it again, or has the stored file read again. */
  retry(id: string): void {
    const upload = this.find(id);
    const source = this.sources.get(id);
    if (upload?.phase !== 'failed' || source === undefined) return;
    if (upload.failure?.stored && upload.documentId !== null) {
      void this.reprocess(id, upload.documentId);
      return;
    }
    source.abort = new AbortController();
    this.patch(id, { phase: 'waiting', sent: 0, failure: null });
    this.pump();
  }

  /** Takes one out of the list; what is still being sent is stopped. */
  remove(id: string): void {
    this.sources.get(id)?.abort.abort();
    this.sources.delete(id);
    this.uploads.set(this.uploads.get().filter((upload) => upload.id !== id));
  }

  clearFinished(): void {
    for (const upload of this.uploads.get())
      if (upload.phase === 'done' || upload.phase === 'failed') this.remove(upload.id);
  }

  clear(): void {
    for (const upload of this.uploads.get()) this.remove(upload.id);
    this.early.clear();
  }

  /** A change of a document, from the event stream. */
  hear(event: DocumentEvent): void {
    const mine = this.uploads.get().filter((upload) => upload.documentId === event.id && upload.phase === 'processing');
    if (mine.length === 0 && this.running > 0) this.remember(event);
    for (const upload of mine) this.apply(upload.id, event);
  }

  /** Asks for the state of documents of which nothing has been heard for a while. Called from a timer. */
  async catchUp(nowMs: number): Promise<void> {
    const quiet = this.uploads.get().filter((upload) => {
      const source = this.sources.get(upload.id);
      return upload.phase === 'processing' && source !== undefined && nowMs - source.heardAtMs >= askAfterMs;
    });
    for (const upload of quiet.slice(0, defaultParallel)) {
      const source = this.sources.get(upload.id);
      if (source === undefined || upload.documentId === null) continue;
      source.heardAtMs = nowMs;
      await this.refresh(upload.id, upload.documentId);
    }
  }

  private find(id: string): Upload | undefined {
    return this.uploads.get().find((upload) => upload.id === id);
  }

  private patch(id: string, change: Partial<Upload>): void {
    this.uploads.set(this.uploads.get().map((upload) => (upload.id === id ? { ...upload, ...change } : upload)));
  }

  private pump(): void {
    while (this.running < (this.env.parallel ?? defaultParallel)) {
      const next = this.uploads.get().find((upload) => upload.phase === 'waiting');
      const source = next && this.sources.get(next.id);
      if (!next || !source) return;
      this.running++;
      this.patch(next.id, { phase: 'uploading' });
      void this.run(next.id, source).finally(() => {
        this.running--;
        this.pump();
      });
    }
  }

  private async run(id: string, source: Source): Promise<void> {
    try {
      const document = await this.sendPatiently(id, source);
      source.version = document.version;
      source.heardAtMs = Date.now();
      this.env.onStored?.(document);
      this.patch(id, {
        phase: 'processing',
        sent: source.file.size,
        step: 'stored',
        documentId: document.id,
        title: document.title,
        duplicateOf: document.duplicate_of,
      });
      const early = this.early.get(document.id);
      this.early.delete(document.id);
      this.settle(id, document);
      if (early !== undefined) this.apply(id, early);
    } catch (error) {
      if (source.abort.signal.aborted) return;
      if (isDefinite(error)) source.key = randomId(); /* the refusal is remembered under the old key */
      this.fail(id, error);
    }
  }

  /** Sends; a busy server or a lost line is tried again with the same key, which can not store the file twice. */
  private async sendPatiently(id: string, source: Source): Promise<DmsDocument> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.env.send({
          file: source.file,
          key: source.key,
          documentId: source.target,
          onSent: (bytes) => this.patch(id, { sent: Math.min(bytes, source.file.size) }),
          signal: source.abort.signal,
        });
      } catch (error) {
        const waitMs = pauseBefore(error, attempt);
        if (waitMs === null || attempt + 1 >= maxAutomaticTries || source.abort.signal.aborted) throw error;
        await this.env.wait(waitMs, source.abort.signal);
      }
    }
  }

  private apply(id: string, event: DocumentEvent): void {
    const source = this.sources.get(id);
    const upload = this.find(id);
    if (source === undefined || upload === undefined) return;
    if (event.version !== undefined && source.version !== null && event.version < source.version) return;
    source.heardAtMs = Date.now();
    if (event.status === 'error' || event.step === 'error') void this.refresh(id, event.id);
    else if (event.status === 'processed' || event.step === 'done') void this.refresh(id, event.id);
    else this.patch(id, { step: later(upload.step, event.step), title: event.title ?? upload.title });
  }

  private async refresh(id: string, documentId: string): Promise<void> {
    try {
      this.settle(id, await this.env.fetchDocument(documentId));
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) this.remove(id);
    }
  }

  private settle(id: string, document: DmsDocument): void {
    const known = { title: document.title, note: document.processing_note, duplicateOf: document.duplicate_of };
    if (document.status === 'processed') this.patch(id, { ...known, phase: 'done', step: 'done', failure: null });
    else if (document.status === 'deleted') this.remove(id);
    else if (document.status === 'error')
      this.patch(id, {
        ...known,
        phase: 'failed',
        failure: { message: document.processing_error?.message ?? '', requestId: null, stored: true },
      });
  }

  private async reprocess(id: string, documentId: string): Promise<void> {
    this.patch(id, { phase: 'processing', step: 'stored', failure: null });
    try {
      const source = this.sources.get(id);
      if (source !== undefined) source.heardAtMs = Date.now();
      await this.env.reprocess(documentId);
    } catch (error) {
      this.fail(id, error, /* stored= */ true);
    }
  }

  private fail(id: string, error: unknown, stored = false): void {
    const requestId = error instanceof ApiError ? error.requestId : null;
    this.patch(id, { phase: 'failed', failure: { message: this.env.explain(error), requestId, stored } });
  }

  private remember(event: DocumentEvent): void {
    const before = this.early.get(event.id);
    this.early.delete(event.id);
    this.early.set(event.id, { ...before, ...event });
    const oldest = this.early.keys().next().value;
    if (this.early.size > maxRemembered && oldest !== undefined) this.early.delete(oldest);
  }
}

/** Share of the whole way that an upload has behind it, 0 to 1: sending is the first half. */
export function progressOf(upload: Upload): number {
  if (upload.phase === 'done') return 1;
  if (upload.phase === 'waiting') return 0;
  if (upload.step === null) return upload.size === 0 ? 0 : (upload.sent / upload.size) * 0.5;
  return 0.5 + (Math.max(0, processingSteps.indexOf(upload.step)) / (processingSteps.length - 1)) * 0.5;
}

function later(before: ProcessingStep | null, now: string | undefined): ProcessingStep | null {
  const step = processingSteps.find((known) => known === now);
  if (step === undefined) return before;
  return before === null || processingSteps.indexOf(step) >= processingSteps.indexOf(before) ? step : before;
}

function isDefinite(error: unknown): boolean {
  return error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 401;
}

/** Milliseconds until a try makes sense again; null when it does not. */
function pauseBefore(error: unknown, attempt: number): number | null {
  const doubled = Math.min(30_000, 1000 * 2 ** attempt);
  if (error instanceof NetworkError) return doubled;
  if (!(error instanceof ApiError)) return null;
  const busy = error.status === 429 || error.status === 502 || error.status === 503 || error.status === 504;
  const stillRunning = error.status === 409 && error.retryAfterS !== null;
  if (!busy && !stillRunning) return null;
  if (error.retryAfterS !== null && error.retryAfterS > 60)
    return null; /* an hourly limit: say so instead of waiting */
  return Math.max(doubled, (error.retryAfterS ?? 0) * 1000);
}
