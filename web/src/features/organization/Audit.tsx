import { Alert, Button, Code, Group, Table, TextInput, UnstyledButton } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useDeferredValue, useState } from 'react';
import { identity } from '@/shared/api/identity';
import type { AuditRow } from '@/shared/api/types';
import { saveBlob } from '@/shared/lib/download';
import { formatTime } from '@/shared/lib/format';
import { useMe } from '@/shared/lib/useMe';
import { usePages } from '@/shared/lib/usePages';
import { texts } from '@/shared/texts';
import card from '@/shared/ui/card.module.css';
import { Dialog } from '@/shared/ui/Dialog';
import classes from '@/shared/ui/form.module.css';
import { LoadError, Message, PageSkeleton } from '@/shared/ui/states';
import { Time } from '@/shared/ui/Time';

const words = texts.audit;

export function Audit() {
  const { can } = useMe();
  const [filter, setFilter] = useState('');
  const action = useDeferredValue(filter.trim());
  const [opened, setOpened] = useState<AuditRow | null>(null);
  const list = usePages(['audit', action], identity.audit, { action: action === '' ? null : action });
  const verify = useMutation({ mutationFn: identity.verifyAudit });
  const save = useMutation({ mutationFn: async () => saveBlob(await identity.exportAudit(), 'audit.csv') });
  return (
    <div className={classes.section}>
      <div className={classes.dim}>{words.text}</div>
      <div className={classes.row}>
        <TextInput
          aria-label={words.filter}
          placeholder={words.filterPlaceholder}
          value={filter}
          onChange={(event) => setFilter(event.currentTarget.value)}
        />
        <Group>
          <Button variant="default" loading={verify.isPending} onClick={() => verify.mutate()}>
            {words.verify}
          </Button>
          {can('audit.export') && (
            <Button variant="default" loading={save.isPending} onClick={() => save.mutate()}>
              {words.export}
            </Button>
          )}
        </Group>
      </div>
      {verify.data !== undefined && (
        <Alert color={verify.data.ok ? 'green' : 'red'} role="status">
          {verify.data.ok ? words.good(verify.data.rows) : words.bad(String(verify.data.first_bad))}
        </Alert>
      )}
      {list.isPending ? (
        <PageSkeleton />
      ) : list.isError && list.items.length === 0 ? (
        <LoadError error={list.error} onRetry={() => void list.refetch()} />
      ) : list.items.length === 0 ? (
        <Message title={words.empty.title} text={words.empty.text} />
      ) : (
        <AuditTable rows={list.items} onOpen={setOpened} />
      )}
      {list.hasNextPage && (
        <Button variant="default" loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          {texts.showMore}
        </Button>
      )}
      {opened !== null && <Details row={opened} onClose={() => setOpened(null)} />}
    </div>
  );
}

function actorOf(row: AuditRow): string {
  return row.actor.type === 'system' ? words.system : (row.actor.name ?? row.actor.id ?? texts.none);
}

function AuditTable({ rows, onOpen }: { rows: AuditRow[]; onOpen: (row: AuditRow) => void }) {
  const { columns } = words;
  return (
    <div className={card.card}>
      <Table verticalSpacing={9} horizontalSpacing="md" className={classes.table}>
        <Table.Thead className={classes.head}>
          <Table.Tr>
            <Table.Th>{columns.at}</Table.Th>
            <Table.Th>{columns.actor}</Table.Th>
            <Table.Th>{columns.action}</Table.Th>
            <Table.Th className={classes.wide}>{columns.object}</Table.Th>
            <Table.Th className={classes.wide}>{columns.ip}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row) => (
            <Table.Tr key={row.id}>
              <Table.Td>
                <Time at={row.at} />
              </Table.Td>
              <Table.Td>{actorOf(row)}</Table.Td>
              <Table.Td>
                <UnstyledButton className={classes.strong} onClick={() => onOpen(row)}>
                  {row.action}
                </UnstyledButton>
              </Table.Td>
              <Table.Td className={classes.wide}>{row.object.type}</Table.Td>
              <Table.Td className={classes.wide}>{row.ip}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

function Details({ row, onClose }: { row: AuditRow; onClose: () => void }) {
  return (
    <Dialog onClose={onClose} title={row.action} size="lg">
      <div className={classes.section}>
        <div>
          {formatTime(row.at)}, {actorOf(row)}, {row.ip ?? texts.none}
        </div>
        <div className={classes.dim}>
          {row.object.type} {row.object.id}
        </div>
        <Value label={words.before} value={row.before} />
        <Value label={words.after} value={row.after} />
        <div className={classes.dim}>
          {words.request}: {row.request_id ?? texts.none}
        </div>
        <div className={classes.dim}>
          {words.seal}: {row.hash ?? words.notSealed}
        </div>
      </div>
    </Dialog>
  );
}

function Value({ label, value }: { label: string; value: unknown }) {
  if (value === null || value === undefined) return null;
  return (
    <div>
      <div className={classes.strong}>{label}</div>
      <Code block>{JSON.stringify(value, null, 2)}</Code>
    </div>
  );
}
