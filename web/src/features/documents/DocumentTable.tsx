import { ActionIcon, Checkbox, Menu, Table, VisuallyHidden } from '@mantine/core';
import Download from 'lucide-react/icons/download';
import EllipsisVertical from 'lucide-react/icons/ellipsis-vertical';
import RefreshCw from 'lucide-react/icons/refresh-cw';
import Trash from 'lucide-react/icons/trash-2';
import type { MouseEvent } from 'react';
import { Link, useLocation } from 'wouter';
import { formatBytes } from '@/shared/lib/format';
import { useMe } from '@/shared/lib/useMe';
import { texts } from '@/shared/texts';
import card from '@/shared/ui/card.module.css';
import { FileIcon } from '@/shared/ui/FileIcon';
import { Time } from '@/shared/ui/Time';
import classes from './DocumentTable.module.css';
import type { ListedDocument } from './liveUpdates';
import { StatusBadge } from './StatusBadge';
import { useDocumentActions } from './useDocumentActions';

interface TableProps {
  documents: readonly ListedDocument[];
  selected: ReadonlySet<string>;
  onSelect: ((selected: ReadonlySet<string>) => void) | null /* null: nothing can be done with a selection */;
}

export function DocumentTable({ documents, selected, onSelect }: TableProps) {
  const all = documents.length > 0 && documents.every((document) => selected.has(document.id));
  const { columns } = texts.documents;
  return (
    <div className={card.card}>
      <Table className={classes.table} verticalSpacing={10} horizontalSpacing="md">
        <Table.Thead className={classes.head}>
          <Table.Tr>
            {onSelect !== null && (
              <Table.Th className={classes.check}>
                <Checkbox
                  size="xs"
                  aria-label={texts.documents.selectAll}
                  checked={all}
                  indeterminate={!all && selected.size > 0}
                  onChange={() => onSelect(new Set(all ? [] : documents.map((document) => document.id)))}
                />
              </Table.Th>
            )}
            <Table.Th>{columns.title}</Table.Th>
            <Table.Th className={classes.status}>{columns.status}</Table.Th>
            <Table.Th className={classes.size}>{columns.size}</Table.Th>
            <Table.Th className={classes.time}>{columns.updated}</Table.Th>
            <Table.Th className={classes.menu}>
              <VisuallyHidden>{texts.documents.actions}</VisuallyHidden>
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {documents.map((document) => (
            <Row
              key={document.id}
              document={document}
              selected={selected.has(document.id)}
              onSelect={
                onSelect === null
                  ? null
                  : (now) => {
                      const next = new Set(selected);
                      if (now) next.add(document.id);
                      else next.delete(document.id);
                      onSelect(next);
                    }
              }
            />
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

interface RowProps {
  document: ListedDocument;
  selected: boolean;
  onSelect: ((selected: boolean) => void) | null;
}

function Row({ document, selected, onSelect }: RowProps) {
  const [, navigate] = useLocation();
  const href = `/documents/${document.id}`;
  const open = (event: MouseEvent<HTMLElement>) => {
    const target = event.target as HTMLElement;
    if (target.closest('a, button, input, label, [role=menu]') === null && getSelection()?.isCollapsed !== false)
      navigate(href);
  };
  return (
    <Table.Tr className={classes.row} onClick={open} data-selected={selected || undefined}>
      {onSelect !== null && (
        <Table.Td className={classes.check}>
          <Checkbox
            size="xs"
            aria-label={texts.documents.select(document.title)}
            checked={selected}
            onChange={(event) => onSelect(event.currentTarget.checked)}
          />
        </Table.Td>
      )}
      <Table.Td>
        <div className={classes.name}>
          <FileIcon type={document.mime_type} />
          <div className={classes.words}>
            <Link href={href} className={classes.title}>
              {document.title}
            </Link>
            <span className={classes.sub}>
              {document.status === 'error' && document.processing_error !== null ? (
                <span className={classes.cause}>{document.processing_error.message}</span>
              ) : (
                subtitle(document)
              )}
            </span>
          </div>
        </div>
      </Table.Td>
      <Table.Td className={classes.status}>
        <StatusBadge status={document.status} step={document.step} />
      </Table.Td>
      <Table.Td className={classes.size}>{formatBytes(document.size)}</Table.Td>
      <Table.Td className={classes.time}>
        <Time at={document.updated_at} />
      </Table.Td>
      <Table.Td className={classes.menu}>
        <RowMenu document={document} />
      </Table.Td>
    </Table.Tr>
  );
}

function subtitle(document: ListedDocument): string {
  const parts = [document.name === document.title ? null : document.name, document.type, ...document.tags.slice(0, 3)];
  return parts.filter((part) => part !== null && part !== '').join(' · ') || document.mime_type;
}

function RowMenu({ document }: { document: ListedDocument }) {
  const { can } = useMe();
  const { download, reprocess, trash } = useDocumentActions(document);
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" aria-label={texts.documents.actionsFor(document.title)}>
          <EllipsisVertical size={18} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {can('document.download') && (
          <Menu.Item leftSection={<Download size={16} aria-hidden />} onClick={() => download(null)}>
            {texts.document.download}
          </Menu.Item>
        )}
        {can('document.reprocess') && (
          <Menu.Item leftSection={<RefreshCw size={16} aria-hidden />} onClick={reprocess}>
            {texts.document.reprocess}
          </Menu.Item>
        )}
        {can('document.delete') && (
          <Menu.Item color="red" leftSection={<Trash size={16} aria-hidden />} onClick={() => trash()}>
            {texts.documents.moveToTrash}
          </Menu.Item>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}
