/* Carries what the event stream tells into what is on the screen. */
import type { InfiniteData, QueryClient } from '@tanstack/react-query';
import type { DmsDocument, DocumentEvent, Page } from '@/shared/api/types';
import { Store } from '@/shared/lib/store';

/** A document in a list, with the last step of its processing that was heard of. */
export type ListedDocument = DmsDocument & { step?: string };
export type DocumentPages = InfiniteData<Page<ListedDocument>, string | null>;
export interface TaggedDocument {
  data: ListedDocument;
  etag: string | null;
}

/** Whether changes arrive by themselves; otherwise pages ask now and then. */
export const eventsConnected = new Store(false);

export const pollMs = 4000;

export function isUnderWay(document: Pick<DmsDocument, 'status'>): boolean {
  return document.status === 'pending' || document.status === 'processing';
}

/** Its status stays what it was, so that it can come back as it went. */
export function isInTrash(document: Pick<DmsDocument, 'status' | 'trashed_at'>): boolean {
  return document.status === 'deleted' || document.trashed_at !== null;
}

/** Null for data that is not what the contract promises. */
export function parseDocumentEvent(data: string): DocumentEvent | null {
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === 'object' && value !== null && typeof (value as DocumentEvent).id === 'string'
      ? (value as DocumentEvent)
      : null;
  } catch {
    return null;
  }
}

/** Shows a change at once where that is certain, and has the rest loaded again soon. */
export function showChange(client: QueryClient, event: DocumentEvent, refreshSoon: (key: string) => void): void {
  const previous = client.getQueryData<TaggedDocument>(['document', event.id])?.data;
  client.setQueriesData<DocumentPages>({ queryKey: ['documents'] }, (pages) => withChange(pages, event));
  client.setQueryData<TaggedDocument>(['document', event.id], (entry) =>
    entry === undefined ? undefined : { ...entry, data: changed(entry.data, event) },
  );
  const settled = event.status !== 'processing' && event.status !== 'pending';
  const known = client
    .getQueriesData<DocumentPages>({ queryKey: ['documents'] })
    .some(([, pages]) => pages?.pages.some((page) => page.items.some((item) => item.id === event.id)));
  if (settled || !known) refreshSoon('documents');
  if (event.status === 'deleted') refreshSoon('trash');
  if (previous !== undefined) void client.invalidateQueries({ queryKey: ['timeline', event.id] });
  if (previous !== undefined && settled) {
    void client.invalidateQueries({ queryKey: ['document', event.id] });
    void client.invalidateQueries({ queryKey: ['versions', event.id] });
  }
}

function withChange(pages: DocumentPages | undefined, event: DocumentEvent): DocumentPages | undefined {
  if (pages === undefined) return undefined;
  return {
    ...pages,
    pages: pages.pages.map((page) => ({
      ...page,
      items: page.items.map((item) => (item.id === event.id ? changed(item, event) : item)),
    })),
  };
}

function changed(document: ListedDocument, event: DocumentEvent): ListedDocument {
  const next: ListedDocument = { ...document };
  if (event.status !== undefined) next.status = event.status;
  if (event.title !== undefined) next.title = event.title;
  if (event.version !== undefined) next.version = event.version;
  if (event.step !== undefined) next.step = event.step;
  return next;
}
