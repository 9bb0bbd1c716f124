import { ActionIcon, Button, Code, Group, NativeSelect, Table, Text, TextInput, VisuallyHidden } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import KeyRound from 'lucide-react/icons/key-round';
import Plus from 'lucide-react/icons/plus';
import RefreshCw from 'lucide-react/icons/refresh-cw';
import Trash from 'lucide-react/icons/trash-2';
import { type FormEvent, useState } from 'react';
import { FormError, fieldState } from '@/features/auth/FormError';
import { api } from '@/shared/api/api';
import { apiBase } from '@/shared/api/client';
import type { ApiKey } from '@/shared/api/types';
import { formatTime } from '@/shared/lib/format';
import { formText } from '@/shared/lib/formText';
import { useMe } from '@/shared/lib/useMe';
import { usePages } from '@/shared/lib/usePages';
import { usePageTitle } from '@/shared/lib/usePageTitle';
import { texts } from '@/shared/texts';
import card from '@/shared/ui/card.module.css';
import { Confirm } from '@/shared/ui/Confirm';
import { CopyButton } from '@/shared/ui/CopyButton';
import { Dialog } from '@/shared/ui/Dialog';
import { notifyDone } from '@/shared/ui/notify';
import { PageHeader } from '@/shared/ui/PageHeader';
import { LoadError, Message, PageSkeleton } from '@/shared/ui/states';
import { Time } from '@/shared/ui/Time';
import classes from './KeysPage.module.css';

const dayMs = 86_400_000;
const overlapS = 86_400; /* how long the old secret goes on working */
const readScopes = ['document.read', 'document.download', 'folder.read', 'search.query', 'ask.query'];
const writeScopes = [...readScopes, 'document.create', 'document.update'];

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

function CreateKey({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const { me } = useMe();
  const [access, setAccess] = useState<keyof typeof texts.keys.presets>('search');
  const mine = me?.permissions ?? [];
  const scopes = { search: readScopes, write: writeScopes, all: mine }[access].filter((scope) => mine.includes(scope));
  const create = useMutation({
    meta: { ownError: true },
    mutationFn: ({ name, days, addresses }: { name: string; days: number | null; addresses: string[] }) =>
      api.createApiKey({
        name,
        type: 'sk',
        scopes,
        ...(addresses.length === 0 ? {} : { allowed_ips: addresses }),
        ...(days === null ? {} : { expires_at: new Date(Date.now() + days * dayMs).toISOString() }),
      }),
    onSuccess: () => client.invalidateQueries({ queryKey: ['api-keys'] }),
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const days = Number(form.get('expires'));
    const addresses = formText(form, 'allowed_ips').split(/[\s,]+/);
    create.mutate({
      name: formText(form, 'name').trim(),
      days: Number.isFinite(days) ? days : null,
      addresses: addresses.filter((address) => address !== ''),
    });
  };
  const secret = create.data?.key;

  return (
    <Dialog
      onClose={onClose}
      closeOnClickOutside={secret === undefined}
      title={secret === undefined ? texts.keys.create : texts.keys.onceTitle}
      size="lg"
    >
      {secret === undefined ? (
        <form className={classes.form} onSubmit={submit}>
          <FormError error={create.error} />
          <TextInput
            name="name"
            label={texts.keys.name}
            placeholder={texts.keys.namePlaceholder}
            required
            maxLength={100}
            data-autofocus
            {...fieldState(create.error, 'name')}
          />
          <NativeSelect
            label={texts.keys.access}
            value={access}
            onChange={(event) => setAccess(event.currentTarget.value as typeof access)}
            data={Object.entries(texts.keys.presets).map(([value, label]) => ({ value, label }))}
          />
          <Text size="xs" c="dimmed">
            {scopes.join(', ')}
          </Text>
          <NativeSelect
            name="expires"
            label={texts.keys.expires}
            defaultValue="90"
            data={Object.entries(texts.keys.expiries).map(([value, label]) => ({ value, label }))}
          />
          <TextInput
            name="allowed_ips"
            label={texts.keys.addresses}
            description={texts.keys.addressesHint}
            {...fieldState(create.error, 'allowed_ips')}
          />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {texts.cancel}
            </Button>
            <Button type="submit" loading={create.isPending}>
              {texts.keys.create}
            </Button>
          </Group>
        </form>
      ) : (
        <Secret secret={secret} onClose={onClose} />
      )}
    </Dialog>
  );
}

function Secret({ secret, onClose }: { secret: string; onClose: () => void }) {
  const example = `curl -H 'X-API-Key: ${secret}' \\\n  '${location.origin}${apiBase}/search?q=contract'`;
  return (
    <div className={classes.form}>
      <Text>{texts.keys.onceText}</Text>
      <div className={classes.secret}>
        <code data-testid="api-key">{secret}</code>
        <CopyButton value={secret} />
      </div>
      <Text size="sm" fw={550}>
        {texts.keys.tryIt}
      </Text>
      <div className={classes.secret}>
        <code>{example}</code>
        <CopyButton value={example} />
      </div>
      <Group justify="flex-end">
        <Button onClick={onClose}>{texts.keys.done}</Button>
      </Group>
    </div>
  );
}
