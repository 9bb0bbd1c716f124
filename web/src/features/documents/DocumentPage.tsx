import { ActionIcon, Alert, Button, Menu, Tabs } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import ArrowLeft from 'lucide-react/icons/arrow-left';
import Download from 'lucide-react/icons/download';
import EllipsisVertical from 'lucide-react/icons/ellipsis-vertical';
import Pencil from 'lucide-react/icons/pencil';
import RefreshCw from 'lucide-react/icons/refresh-cw';
import Trash from 'lucide-react/icons/trash-2';
import UploadIcon from 'lucide-react/icons/upload';
import Users from 'lucide-react/icons/users';
import { useState } from 'react';
import { Link, useLocation, useSearchParams } from 'wouter';
import { useHistoryState } from 'wouter/use-browser-location';
import { AccessDialog } from '@/features/access/AccessDialog';
import { chooseFiles } from '@/features/upload/uploads';
import { api } from '@/shared/api/api';
import { ApiError } from '@/shared/api/problem';
import { useStore } from '@/shared/lib/store';
import { useMe } from '@/shared/lib/useMe';
import { usePageTitle } from '@/shared/lib/usePageTitle';
import { texts } from '@/shared/texts';
import card from '@/shared/ui/card.module.css';
import { FileIcon } from '@/shared/ui/FileIcon';
import { LoadError, Message, PageSkeleton } from '@/shared/ui/states';
import { Details } from './Details';
import classes from './DocumentPage.module.css';
import {
  eventsConnected,
  isInTrash,
  isUnderWay,
  type ListedDocument,
  pollMs,
  type TaggedDocument,
} from './liveUpdates';
import { OriginalView } from './OriginalView';
import { StatusBadge } from './StatusBadge';
import { TextView } from './TextView';
import { Timeline } from './Timeline';
import { TitleEditor } from './TitleEditor';
import { useDocumentActions } from './useDocumentActions';
import { Versions } from './Versions';

const tabNames = ['text', 'original', 'versions', 'processing'] as const;

export default function DocumentPage({ id }: { id: string }) {
  const live = useStore(eventsConnected);
  const query = useQuery<TaggedDocument>({
    queryKey: ['document', id],
    queryFn: ({ signal }) => api.document(id, { signal }),
    refetchInterval: ({ state }) => (!live && state.data && isUnderWay(state.data.data) ? pollMs : false),
  });
  usePageTitle(query.data?.data.title ?? '');
  if (query.isPending) return <PageSkeleton />;
  if (query.isError && (query.error instanceof ApiError ? query.error.status === 404 : query.data === undefined))
    return query.error instanceof ApiError && query.error.status === 404 ? (
      <Message
        whole
        title={texts.notFound.title}
        text={texts.notFound.text}
        action={
          <Button component={Link} href="/">
            {texts.notFound.home}
          </Button>
        }
      />
    ) : (
      <LoadError error={query.error} onRetry={() => void query.refetch()} />
    );
  if (query.data === undefined) return <LoadError error={query.error} onRetry={() => void query.refetch()} />;
  return <Loaded document={query.data.data} etag={query.data.etag} />;
}

function Loaded({ document, etag }: { document: ListedDocument; etag: string | null }) {
  const [parameters, setParameters] = useSearchParams();
  const snippet = snippetOf(useHistoryState<unknown>());
  const actions = useDocumentActions(document);
  const tab = tabNames.find((name) => name === parameters.get('tab')) ?? 'text';
  const asked = Number(parameters.get('page'));
  const page = Number.isInteger(asked) && asked > 0 ? asked : null;
  const choose = (value: string | null) =>
    setParameters(
      (before) => {
        const next = new URLSearchParams(before);
        if (value === null || value === 'text') next.delete('tab');
        else next.set('tab', value);
        return next;
      },
      { replace: true },
    );
  const { tabs } = texts.document;

  return (
    <>
      <Header document={document} etag={etag} actions={actions} />
      <Notices document={document} actions={actions} />
      <div className={classes.columns}>
        <div className={`${card.card} ${classes.content}`}>
          <Tabs value={tab} onChange={choose} keepMounted={false}>
            <Tabs.List className={classes.tabs}>
              {tabNames.map((name) => (
                <Tabs.Tab key={name} value={name}>
                  {tabs[name]}
                </Tabs.Tab>
              ))}
            </Tabs.List>
            <Tabs.Panel value="text" className={classes.panel}>
              {isUnderWay(document) ? (
                <Message title={texts.documents.status[document.status]} text={texts.document.working} />
              ) : document.status === 'error' ? (
                <Message {...texts.document.text.none} />
              ) : (
                <TextView
                  key={`${String(document.version)}.${parameters.get('find') ?? ''}.${String(page)}`}
                  id={document.id}
                  version={document.version}
                  find={parameters.get('find') ?? ''}
                  page={page}
                  snippet={snippet}
                />
              )}
            </Tabs.Panel>
            <Tabs.Panel value="original" className={classes.panel}>
              <OriginalView document={document} page={page} onDownload={() => actions.download(null)} />
            </Tabs.Panel>
            <Tabs.Panel value="versions" className={classes.panel}>
              <Versions document={document} onDownload={actions.download} />
            </Tabs.Panel>
            <Tabs.Panel value="processing" className={classes.panel}>
              <Timeline document={document} />
            </Tabs.Panel>
          </Tabs>
        </div>
        <aside className={`${card.card} ${classes.aside}`} aria-label={texts.document.details}>
          <Details document={document} />
        </aside>
      </div>
    </>
  );
}

interface PartProps {
  document: ListedDocument;
  actions: ReturnType<typeof useDocumentActions>;
}

function Header({ document, etag, actions }: PartProps & { etag: string | null }) {
  const [, navigate] = useLocation();
  const { can } = useMe();
  const [renaming, setRenaming] = useState(false);
  const [sharing, setSharing] = useState(false);
  const inTrash = isInTrash(document);
  return (
    <div className={classes.header}>
      <Link href={inTrash ? '/trash' : '/'} className={classes.back}>
        <ArrowLeft size={16} aria-hidden /> {inTrash ? texts.trash.title : texts.document.back}
      </Link>
      <div className={classes.line}>
        <FileIcon type={document.mime_type} />
        {renaming ? (
          <TitleEditor document={document} etag={etag} onClose={() => setRenaming(false)} />
        ) : (
          <h1 className={classes.title}>{document.title}</h1>
        )}
        <StatusBadge status={document.status} step={document.step} />
        <div className={classes.actions}>
          {can('document.download') && (
            <Button
              leftSection={<Download size={17} aria-hidden />}
              loading={actions.downloading}
              onClick={() => actions.download(null)}
            >
              {texts.document.download}
            </Button>
          )}
          {!inTrash && (
            <Menu position="bottom-end" withinPortal>
              <Menu.Target>
                <ActionIcon variant="default" size={36} aria-label={texts.document.more}>
                  <EllipsisVertical size={18} aria-hidden />
                </ActionIcon>
              </Menu.Target>
              <Menu.Dropdown>
                {can('document.update') && (
                  <>
                    <Menu.Item
                      leftSection={<UploadIcon size={16} aria-hidden />}
                      onClick={() => chooseFiles(document.id)}
                    >
                      {texts.document.newVersion}
                    </Menu.Item>
                    <Menu.Item leftSection={<Pencil size={16} aria-hidden />} onClick={() => setRenaming(true)}>
                      {texts.document.rename}
                    </Menu.Item>
                  </>
                )}
                {can('document.reprocess') && (
                  <Menu.Item leftSection={<RefreshCw size={16} aria-hidden />} onClick={actions.reprocess}>
                    {texts.document.reprocess}
                  </Menu.Item>
                )}
                {can('folder.grant') && (
                  <Menu.Item leftSection={<Users size={16} aria-hidden />} onClick={() => setSharing(true)}>
                    {texts.access.title}
                  </Menu.Item>
                )}
                {can('document.delete') && (
                  <Menu.Item
                    color="red"
                    leftSection={<Trash size={16} aria-hidden />}
                    onClick={() => actions.trash(() => navigate('/'))}
                  >
                    {texts.document.trash}
                  </Menu.Item>
                )}
              </Menu.Dropdown>
            </Menu>
          )}
        </div>
      </div>
      {sharing && <AccessDialog kind="documents" id={document.id} onClose={() => setSharing(false)} />}
    </div>
  );
}

function Notices({ document, actions }: PartProps) {
  const { can } = useMe();
  return (
    <>
      {isInTrash(document) && (
        <Alert color="gray" mb="md" title={texts.document.inTrash}>
          {can('document.restore') && (
            <Button size="xs" variant="light" loading={actions.restoring} onClick={actions.restore}>
              {texts.document.restore}
            </Button>
          )}
        </Alert>
      )}
      {document.status === 'error' && (
        <Alert color="red" mb="md" title={document.processing_error?.message ?? texts.document.failed}>
          <div className={classes.notice}>
            {texts.document.failedText}
            {can('document.reprocess') && (
              <Button size="xs" variant="light" color="red" loading={actions.reprocessing} onClick={actions.reprocess}>
                {texts.retry}
              </Button>
            )}
          </div>
        </Alert>
      )}
      {document.processing_note !== null && document.processing_note !== '' && (
        <Alert color="yellow" mb="md" title={texts.document.note}>
          {document.processing_note}
        </Alert>
      )}
      {document.duplicate_of !== null && (
        <Alert color="blue" mb="md">
          {texts.document.duplicate}{' '}
          <Link href={`/documents/${document.duplicate_of}`}>{texts.document.duplicateLink}</Link>.
        </Alert>
      )}
    </>
  );
}

function snippetOf(state: unknown): string | null {
  const snippet = typeof state === 'object' && state !== null ? (state as { snippet?: unknown }).snippet : null;
  return typeof snippet === 'string' ? snippet : null;
}
