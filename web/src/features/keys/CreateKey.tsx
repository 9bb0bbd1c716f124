import { Button, Group, NativeSelect, Text, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { FormError, fieldState } from '@/features/auth/FormError';
import { api } from '@/shared/api/api';
import { identity } from '@/shared/api/identity';
import { formText } from '@/shared/lib/formText';
import { useMe } from '@/shared/lib/useMe';
import { useWhole } from '@/shared/lib/useWhole';
import { texts } from '@/shared/texts';
import { Dialog } from '@/shared/ui/Dialog';
import classes from './KeysPage.module.css';
import { Secret } from './Secret';

const dayMs = 86_400_000;
const readScopes = ['document.read', 'document.download', 'folder.read', 'search.query', 'ask.query'];
const writeScopes = [...readScopes, 'document.create', 'document.update'];

interface Filled {
  name: string;
  holder: string /* "" for a key of one's own */;
  days: number | null;
  addresses: string[];
}

/* A key of one's own, or for a member that is a program and cannot sign in to make one; then the secret, once. */
export function CreateKey({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const { me, can } = useMe();
  const members = useWhole('members', identity.members, me !== undefined && can('member.read'));
  const programs = members.filter((member) => member.role === 'API_Only');
  const [access, setAccess] = useState<keyof typeof texts.keys.presets>('search');
  const mine = me?.permissions ?? [];
  const scopes = { search: readScopes, write: writeScopes, all: mine }[access].filter((scope) => mine.includes(scope));
  const create = useMutation({
    meta: { ownError: true },
    mutationFn: ({ name, holder, days, addresses }: Filled) =>
      api.createApiKey({
        name,
        type: 'sk',
        ...(holder === '' ? {} : { user_id: holder }),
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
      holder: formText(form, 'user_id'),
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
          {programs.length > 0 && (
            <NativeSelect
              name="user_id"
              label={texts.keys.holder}
              description={texts.keys.holderHint}
              data={[
                { value: '', label: texts.keys.me },
                ...programs.map((member) => ({ value: member.user_id, label: member.name })),
              ]}
              {...fieldState(create.error, 'user_id')}
            />
          )}
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
