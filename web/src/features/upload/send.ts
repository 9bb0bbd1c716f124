/* Sends one file with XMLHttpRequest: fetch() can not report how much has been sent. */
import { apiBase, reachable, session } from '@/shared/api/client';
import { ApiError, NetworkError, problemFrom } from '@/shared/api/problem';
import type { DmsDocument } from '@/shared/api/types';
import { texts } from '@/shared/texts';
import { multipartBody } from './body';
import type { SendFile } from './queue';

export const sendFile: SendFile = async (job) => {
  const path = job.documentId === null ? '/documents' : `/documents/${encodeURIComponent(job.documentId)}/versions`;
  const body = multipartBody(job.file, job.key);
  const token = await tokenOrThrow();
  try {
    return await post(path, body, job.key, token, job.onSent, job.signal);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401) throw error;
    return post(path, body, job.key, await tokenOrThrow(token), job.onSent, job.signal);
  }
};

async function tokenOrThrow(rejected?: string): Promise<string> {
  const token = await session.accessToken(rejected);
  if (token === null) throw new ApiError(401, 'unauthorized', texts.errors.signedOut);
  return token;
}

function post(
  path: string,
  body: Blob,
  key: string,
  token: string,
  onSent: (bytes: number) => void,
  signal: AbortSignal,
): Promise<DmsDocument> {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    xhr.open('POST', apiBase + path);
    xhr.setRequestHeader('Authorization', 'Bearer ' + token);
    xhr.setRequestHeader('Idempotency-Key', key);
    xhr.setRequestHeader('Accept', 'application/json');
    xhr.upload.onprogress = (event) => onSent(event.loaded);
    xhr.onload = () => {
      reachable.set(true);
      try {
        resolve(readAnswer(xhr));
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    };
    xhr.onerror = () => reject(new NetworkError(texts.errors.network));
    xhr.onabort = () => reject(new DOMException('aborted', 'AbortError'));
    signal.addEventListener('abort', () => xhr.abort());
    if (signal.aborted) reject(new DOMException('aborted', 'AbortError'));
    else xhr.send(body);
  });
}

function readAnswer(xhr: XMLHttpRequest): DmsDocument {
  if (xhr.status >= 200 && xhr.status < 300) return JSON.parse(xhr.responseText) as DmsDocument;
  const headers = { get: (name: string) => xhr.getResponseHeader(name) };
  throw problemFrom(xhr.status, headers, xhr.responseText, texts.errors.status(xhr.status));
}
