import { ActionIcon, Button, Code, Group, Table, Text, VisuallyHidden } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import KeyRound from 'lucide-react/icons/key-round';
import Plus from 'lucide-react/icons/plus';
import RefreshCw from 'lucide-react/icons/refresh-cw';
import Trash from 'lucide-react/icons/trash-2';
import { useState } from 'react';
import { api } from '@/shared/api/api';
import { identity } from '@/shared/api/identity';
import type { ApiKey } from '@/shared/api/types';
import { formatTime } from '@/shared/lib/format';
import { useMe } from '@/shared/lib/useMe';
import { usePages } from '@/shared/lib/usePages';
import { usePageTitle } from '@/shared/lib/usePageTitle';
import { useWhole } from '@/shared/lib/useWhole';
import { texts } from '@/shared/texts';
import card from '@/shared/ui/card.module.css';
import { Confirm } from '@/shared/ui/Confirm';
import { Dialog } from '@/shared/ui/Dialog';
import { notifyDone } from '@/shared/ui/notify';
import { PageHeader } from '@/shared/ui/PageHeader';
import { LoadError, Message, PageSkeleton } from '@/shared/ui/states';
import { Time } from '@/shared/ui/Time';
import { CreateKey } from './CreateKey';
import classes from './KeysPage.module.css';
import { Secret } from './Secret';

const overlapS = 86_400; /* how long the old secret goes on working */

export default function KeysPage() {
  usePageTitle(texts.keys.title);
  const [creating, setCreating] = useState(false);
  const list = usePages(['api-keys'], api.apiKeys);
  const keys = list.items;
  const create = (
    <Button leftSection={<Plus size={17} aria-hidden />} onClick={() => setCreating(true)}>
      {texts.keys.create}
    </Button>
  );
  return (
    <>
      <PageHeader title={texts.keys.title} text={texts.keys.text}>
        {create}
      </PageHeader>
      {list.isPending ? (
        <PageSkeleton rows={3} />
      ) : list.isError ? (
        <LoadError error={list.error} onRetry={() => void list.refetch()} />
      ) : keys.length === 0 ? (
        <Message icon={<KeyRound size={28} />} title={texts.keys.empty.title} text={texts.keys.empty.text} />
      ) : (
        <KeyTable keys={keys} />
      )}
      {list.hasNextPage && (
        <Button mt="md" variant="default" loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          {texts.showMore}
        </Button>
      )}
      {creating && <CreateKey onClose={() => setCreating(false)} />}
    </>
  );
}

function KeyTable({ keys }: { keys: ApiKey[] }) {
  const client = useQueryClient();
  const [doomed, setDoomed] = useState<ApiKey | null>(null);
  const [replaced, setReplaced] = useState<ApiKey | null>(null);
  const remove = useMutation({
    mutationFn: (key: ApiKey) => api.deleteApiKey(key.id),
    onSuccess: async (_answer, key) => {
      await client.invalidateQueries({ queryKey: ['api-keys'] });
      notifyDone(texts.keys.deleted(key.name));
    },
    onSettled: () => setDoomed(null),
  });
  const holderOf = useHolders(keys);
  const { columns } = texts.keys;
  return (
    <div className={card.card}>
      <Table verticalSpacing={10} horizontalSpacing="md">
        <Table.Thead className={classes.head}>
          <Table.Tr>
            <Table.Th>{columns.name}</Table.Th>
            <Table.Th className={classes.wide}>{columns.scopes}</Table.Th>
            <Table.Th className={classes.wide}>{columns.created}</Table.Th>
            <Table.Th className={classes.wide}>{columns.lastUsed}</Table.Th>
            <Table.Th className={classes.wide}>{columns.expires}</Table.Th>
            <Table.Th className={classes.menu}>
              <VisuallyHidden>{texts.documents.actions}</VisuallyHidden>
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {keys.map((key) => (
            <Table.Tr key={key.id}>
              <Table.Td>
                <div className={classes.name}>{key.name}</div>
                <Code>{key.prefix}…</Code>
                <Holder name={holderOf(key)} />
              </Table.Td>
              <Table.Td className={classes.wide} title={key.scopes.join(', ')}>
                {texts.keys.scopes(key.scopes.length)}
              </Table.Td>
              <Table.Td className={classes.wide}>
                <Time at={key.created_at} />
              </Table.Td>
              <Table.Td className={classes.wide}>
                {key.last_used_at == null ? texts.keys.never : <Time at={key.last_used_at} />}
              </Table.Td>
              <Table.Td className={classes.wide}>
                {key.expires_at == null ? texts.keys.never : formatTime(key.expires_at)}
              </Table.Td>
              <Table.Td className={classes.menu}>
                <ActionIcon
                  variant="subtle"
                  aria-label={texts.keys.rotateFor(key.name)}
                  onClick={() => setReplaced(key)}
                >
                  <RefreshCw size={17} aria-hidden />
                </ActionIcon>
                <ActionIcon
                  variant="subtle"
                  color="red"
                  aria-label={texts.keys.deleteFor(key.name)}
                  onClick={() => setDoomed(key)}
                >
                  <Trash size={17} aria-hidden />
                </ActionIcon>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <Confirm
        opened={doomed !== null}
        title={texts.keys.deleteTitle}
        text={texts.keys.deleteText(doomed?.name ?? '')}
        action={texts.keys.delete}
        busy={remove.isPending}
        onClose={() => setDoomed(null)}
        onConfirm={() => {
          if (doomed !== null) remove.mutate(doomed);
        }}
      />
      {replaced !== null && <ReplaceSecret apiKey={replaced} onClose={() => setReplaced(null)} />}
    </div>
  );
}

/* Whose a key is: null for one's own, undefined for somebody whose name is not known. */
function useHolders(keys: ApiKey[]): (key: ApiKey) => string | null | undefined {
  const { me, can } = useMe();
  const isMine = (key: ApiKey) => me === undefined || key.user_id === me.user.id;
  const members = useWhole('members', identity.members, can('member.read') && !keys.every(isMine));
  return (key) => (isMine(key) ? null : members.find((member) => member.user_id === key.user_id)?.name);
}

function Holder({ name }: { name: string | null | undefined }) {
  if (name === null) return null;
  return <div className={classes.holder}>{name === undefined ? texts.keys.ofOther : texts.keys.of(name)}</div>;
}

/* Asks first, then shows the new secret once. */
function ReplaceSecret({ apiKey, onClose }: { apiKey: ApiKey; onClose: () => void }) {
  const client = useQueryClient();
  const rotate = useMutation({
    mutationFn: () => api.rotateApiKey(apiKey.id, overlapS),
    onSuccess: () => client.invalidateQueries({ queryKey: ['api-keys'] }),
  });
  const secret = rotate.data?.key;
  return (
    <Dialog
      onClose={onClose}
      closeOnClickOutside={secret === undefined}
      title={secret === undefined ? texts.keys.rotateTitle : texts.keys.onceTitle}
      size="lg"
    >
      {secret === undefined ? (
        <div className={classes.form}>
          <Text>{texts.keys.rotateText}</Text>
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {texts.cancel}
            </Button>
            <Button loading={rotate.isPending} onClick={() => rotate.mutate()}>
              {texts.keys.rotate}
            </Button>
          </Group>
        </div>
      ) : (
        <Secret secret={secret} onClose={onClose} />
      )}
    </Dialog>
  );
}
