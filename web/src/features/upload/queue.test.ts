import { beforeEach, expect, test } from 'vitest';
import { ApiError, NetworkError } from '@/shared/api/problem';
import type { DmsDocument, DocumentStatus } from '@/shared/api/types';
import { multipartBody } from './body';
import { progressOf, type SendJob, UploadQueue } from './queue';

let server: Map<string, DmsDocument>;
let sent: SendJob[];
let answer: (job: SendJob) => Promise<DmsDocument>;
let atOnce: number;
let most: number;
let waits: number[];
let reprocessed: string[];
let queue: UploadQueue;

beforeEach(() => {
  server = new Map();
  sent = [];
  atOnce = most = 0;
  waits = [];
  reprocessed = [];
  answer = (job) => Promise.resolve(store(job.file.name));
  queue = new UploadQueue({
    send: async (job) => {
      sent.push(job);
      most = Math.max(most, ++atOnce);
      await new Promise((resolve) => setTimeout(resolve, 1));
      atOnce--;
      return answer(job);
    },
    fetchDocument: (id) => {
      const document = server.get(id);
      return document ? Promise.resolve(document) : Promise.reject(new ApiError(404, 'not_found', 'gone'));
    },
    reprocess: (id) => Promise.resolve(reprocessed.push(id)),
    wait: (ms) => Promise.resolve(void waits.push(ms)),
    explain: (error) => (error as Error).message,
    parallel: 2,
  });
});

function store(id: string, status: DocumentStatus = 'processing'): DmsDocument {
  const document = {
    id,
    title: id,
    version: 1,
    status,
    processing_error: null,
    processing_note: null,
    duplicate_of: null,
  };
  server.set(id, document as DmsDocument);
  return document as DmsDocument;
}

function finish(id: string, status: DocumentStatus, message = ''): void {
  const error = status === 'error' ? { code: 'x', message, retryable: true } : null;
  server.set(id, { ...(server.get(id) as DmsDocument), status, processing_error: error });
}

const file = (name: string) => new File(['text'], name, { type: 'text/plain' });
const phases = () => queue.uploads.get().map((upload) => upload.phase);
const settled = async () => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 1));
};

test('files are sent a few at a time, and a bad one does not stop the rest', async () => {
  answer = (job) =>
    job.file.name === 'b'
      ? Promise.reject(new ApiError(413, 'payload_too_large', 'too large', 'r1'))
      : Promise.resolve(store(job.file.name));
  queue.add(['a', 'b', 'c', 'd'].map(file));
  await settled();
  expect(most).toBe(2);
  expect(phases()).toEqual(['processing', 'failed', 'processing', 'processing']);
  expect(queue.uploads.get()[1]?.failure).toEqual({ message: 'too large', requestId: 'r1', stored: false });
});

test('events carry a file through its steps, in whatever order they come', async () => {
  queue.add([file('a')]);
  await settled();
  const progress = [progressOf(queue.uploads.get()[0]!)];
  for (const step of ['queued', 'typed', 'chunks', 'text', 'nonsense', 'vectors']) {
    queue.hear({ id: 'a', status: 'processing', step });
    progress.push(progressOf(queue.uploads.get()[0]!));
  }
  expect(progress).toEqual([...progress].sort((x, y) => x - y));
  expect(queue.uploads.get()[0]?.step).toBe('vectors');
  finish('a', 'processed');
  queue.hear({ id: 'a', status: 'processed', step: 'done' });
  await settled();
  expect(phases()).toEqual(['done']);
  expect(progressOf(queue.uploads.get()[0]!)).toBe(1);
});

test('events that overtake the answer are not lost', async () => {
  answer = (job) => {
    const document = store(job.file.name);
    queue.hear({ id: 'a', status: 'processing', step: 'chunks' });
    return Promise.resolve(document);
  };
  queue.add([file('a')]);
  await settled();
  expect(queue.uploads.get()[0]?.step).toBe('chunks');
});

test('lost events are made good by asking', async () => {
  queue.add([file('a'), file('gone')]);
  await settled();
  finish('a', 'processed');
  server.delete('gone');
  await queue.catchUp(Date.now());
  expect(phases()).toEqual(['processing', 'processing']);
  await queue.catchUp(Date.now() + 5000);
  expect(phases()).toEqual(['done']);
});

test('a lost line or a busy server is tried again with the same key', async () => {
  const errors = [
    new NetworkError('away'),
    new ApiError(503, 'unavailable', 'busy', null, [], 7),
    new ApiError(409, 'conflict', 'runs', null, [], 1),
  ];
  answer = (job) => {
    const error = errors.shift();
    return error ? Promise.reject(error) : Promise.resolve(store(job.file.name));
  };
  queue.add([file('a')]);
  await settled();
  expect(phases()).toEqual(['processing']);
  expect(new Set(sent.map((job) => job.key)).size).toBe(1);
  expect(waits).toEqual([1000, 7000, 4000]);
});

test('a retry after a refusal takes a new key, after a lost line the old one', async () => {
  answer = () => Promise.reject(new NetworkError('away'));
  queue.add([file('a')]);
  await settled();
  expect(phases()).toEqual(['failed']);
  const [first] = sent;
  answer = () => Promise.reject(new ApiError(402, 'quota_exceeded', 'full'));
  queue.retry(queue.uploads.get()[0]!.id);
  await settled();
  expect(sent[sent.length - 1]?.key).toBe(first?.key);
  answer = (job) => Promise.resolve(store(job.file.name));
  queue.retry(queue.uploads.get()[0]!.id);
  await settled();
  expect(sent[sent.length - 1]?.key).not.toBe(first?.key);
  expect(phases()).toEqual(['processing']);
});

test('an hourly limit is said instead of waited for', async () => {
  answer = () => Promise.reject(new ApiError(429, 'rate_limited', 'ten an hour', null, [], 3000));
  queue.add([file('a')]);
  await settled();
  expect(waits).toEqual([]);
  expect(queue.uploads.get()[0]?.failure?.message).toBe('ten an hour');
});

test('a file that cannot be read says why, and its retry does not send it again', async () => {
  queue.add([file('a')]);
  await settled();
  finish('a', 'error', 'It is encrypted.');
  queue.hear({ id: 'a', status: 'error', step: 'error' });
  await settled();
  expect(queue.uploads.get()[0]).toMatchObject({
    phase: 'failed',
    failure: { message: 'It is encrypted.', stored: true },
  });
  finish('a', 'processing');
  queue.retry(queue.uploads.get()[0]!.id);
  await settled();
  expect(reprocessed).toEqual(['a']);
  expect(sent).toHaveLength(1);
  expect(phases()).toEqual(['processing']);
});

test('what is taken out while being sent is stopped and does not come back', async () => {
  queue.add([file('a'), file('b')]);
  const id = queue.uploads.get()[0]!.id;
  queue.remove(id);
  await settled();
  expect(sent[0]?.signal.aborted).toBe(true);
  expect(queue.uploads.get().map((upload) => upload.name)).toEqual(['b']);
});

test('events of an older version do not end the upload of a newer one', async () => {
  answer = () => Promise.resolve({ ...store('a'), version: 2 });
  queue.add([file('a')], 'a');
  await settled();
  expect(sent[0]?.documentId).toBe('a');
  finish('a', 'processed');
  queue.hear({ id: 'a', version: 1, status: 'processed', step: 'done' });
  await settled();
  expect(phases()).toEqual(['processing']);
});

test('the body of an upload is the same to the byte every time, whatever the name', async () => {
  const odd = new File(['a\r\nb'], 'we"ird\r\nname é.txt', { type: 'text/plain' });
  const one = multipartBody(odd, 'key');
  expect(await one.text()).toBe(await multipartBody(odd, 'key').text());
  expect(one.type).toBe('multipart/form-data; boundary=dms-key');
  expect(await one.text()).toBe(
    '--dms-key\r\nContent-Disposition: form-data; name="file"; filename="we%22ird%0D%0Aname é.txt"\r\n' +
      'Content-Type: text/plain\r\n\r\na\r\nb\r\n--dms-key--\r\n',
  );
});
