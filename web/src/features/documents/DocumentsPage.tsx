import { Button, NativeSelect, SegmentedControl } from '@mantine/core';
import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query';
import FilePlus from 'lucide-react/icons/file-plus';
import { useState } from 'react';
import { useSearchParams } from 'wouter';
import { chooseFiles } from '@/features/upload/uploads';
import { api } from '@/shared/api/api';
import type { DmsDocument, FileKind } from '@/shared/api/types';
import { useStore } from '@/shared/lib/store';
import { useMe } from '@/shared/lib/useMe';
import { usePageTitle } from '@/shared/lib/usePageTitle';
import { texts } from '@/shared/texts';
import { PageHeader } from '@/shared/ui/PageHeader';
import { LoadError, Message, PageSkeleton } from '@/shared/ui/states';
import classes from './DocumentsPage.module.css';
import { DocumentTable } from './DocumentTable';
import { eventsConnected, isUnderWay, pollMs } from './liveUpdates';
import { useTrash } from './useTrash';

const pageSize = 50;
const docxType = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document';
const filterNames = Object.keys(texts.documents.filters) as (keyof typeof texts.documents.filters)[];
const sortNames = Object.keys(texts.documents.sorts) as (keyof typeof texts.documents.sorts)[];

export default function DocumentsPage() {
  usePageTitle(texts.documents.title);
  const [parameters, setParameters] = useSearchParams();
  const filter = filterNames.find((name) => name === parameters.get('status')) ?? 'all';
  const sort = sortNames.find((name) => name === parameters.get('sort')) ?? '-created_at';
  const set = (name: string, value: string, standard: string) =>
    setParameters((before) => {
      const next = new URLSearchParams(before);
      if (value === standard) next.delete(name);
      else next.set(name, value);
      return next;
    });

  const list = useDocuments(filter === 'all' ? undefined : filter, sort);
  const documents = list.data?.pages.flatMap((page) => page.items) ?? [];
  const total = list.data?.pages[0]?.total;
  const nothingYet = list.isSuccess && documents.length === 0 && filter === 'all';

  return (
    <>
      <PageHeader
        title={texts.documents.title}
        text={total === undefined || nothingYet ? ' ' : texts.documents.count(total)}
      >
        {!nothingYet && (
          <NativeSelect
            aria-label={texts.documents.sort}
            value={sort}
            onChange={(event) => set('sort', event.currentTarget.value, '-created_at')}
            data={sortNames.map((value) => ({ value, label: texts.documents.sorts[value] }))}
          />
        )}
      </PageHeader>
      {!nothingYet && (
        <div className={classes.filters}>
          <SegmentedControl
            aria-label={texts.documents.filter}
            value={filter}
            onChange={(value) => set('status', value, 'all')}
            data={filterNames.map((value) => ({ value, label: texts.documents.filters[value] }))}
          />
        </div>
      )}
      {list.isPending ? (
        <PageSkeleton />
      ) : list.isError && documents.length === 0 ? (
        <LoadError error={list.error} onRetry={() => void list.refetch()} />
      ) : documents.length > 0 ? (
        <Listing key={filter} documents={documents} dim={list.isPlaceholderData} />
      ) : filter === 'all' ? (
        <FirstUpload />
      ) : (
        <Message
          title={texts.documents.noMatch.title}
          text={texts.documents.noMatch.text}
          action={
            <Button variant="light" onClick={() => set('status', 'all', 'all')}>
              {texts.documents.noMatch.reset}
            </Button>
          }
        />
      )}
      {list.hasNextPage && (
        <div className={classes.more}>
          <Button variant="default" loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
            {texts.showMore}
          </Button>
        </div>
      )}
    </>
  );
}

function useDocuments(status: string | undefined, sort: string) {
  const live = useStore(eventsConnected);
  return useInfiniteQuery({
    queryKey: ['documents', { status, sort }],
    queryFn: ({ pageParam, signal }) =>
      api.documents({ limit: pageSize, cursor: pageParam, status, sort, count: pageParam === null }, { signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
    refetchInterval: (query) =>
      !live && query.state.data?.pages.some((page) => page.items.some(isUnderWay)) ? pollMs : false,
  });
}

function Listing({ documents, dim }: { documents: DmsDocument[]; dim: boolean }) {
  const { can } = useMe();
  const { trash } = useTrash();
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const chosen = documents.filter((document) => selected.has(document.id));
  return (
    <div className={classes.listing} data-dim={dim || undefined}>
      <div className={classes.bulk} hidden={chosen.length === 0} role="status">
        <span>{texts.documents.selected(chosen.length)}</span>
        <Button
          size="compact-sm"
          variant="light"
          color="red"
          loading={trash.isPending}
          onClick={() => trash.mutate(chosen, { onSuccess: () => setSelected(new Set()) })}
        >
          {texts.documents.moveToTrash}
        </Button>
        <Button size="compact-sm" variant="subtle" onClick={() => setSelected(new Set())}>
          {texts.cancel}
        </Button>
      </div>
      <DocumentTable documents={documents} selected={selected} onSelect={can('document.delete') ? setSelected : null} />
    </div>
  );
}

function FirstUpload() {
  const { can } = useMe();
  const kinds = useQuery({
    queryKey: ['file-kinds'],
    queryFn: ({ signal }) => api.fileKinds({ signal }),
    staleTime: Infinity,
    retry: false,
  });
  const names = readable(kinds.data?.items ?? []);
  if (!can('document.create'))
    return <Message title={texts.documents.noMatch.title} text={texts.documents.emptyForReaders} />;
  return (
    <div className={classes.first}>
      <Message
        icon={<FilePlus size={30} />}
        title={texts.documents.empty.title}
        text={
          <>
            <p>{texts.documents.empty.text}</p>
            {names.length > 0 && (
              <p className={classes.kinds}>
                {texts.documents.empty.kinds(names.slice(0, kindsNamed), Math.max(0, names.length - kindsNamed))}
              </p>
            )}
          </>
        }
        action={
          <Button size="md" onClick={() => chooseFiles()}>
            {texts.documents.empty.choose}
          </Button>
        }
      />
    </div>
  );
}

const kindsNamed = 6;
const namedFirst = ['application/pdf', docxType, 'text/markdown', 'text/html', 'text/plain', 'text/csv'];

/* The names of what text is read from, those that people bring most often first. */
function readable(kinds: FileKind[]): string[] {
  const place = (kind: FileKind) => namedFirst.indexOf(kind.mime_type) + 1 || namedFirst.length + 1;
  return kinds
    .filter((kind) => kind.reads)
    .sort((a, b) => place(a) - place(b))
    .map((kind) => kind.label);
}
