import { ActionIcon, Button, Group, NativeSelect, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import Trash from 'lucide-react/icons/trash-2';
import Users from 'lucide-react/icons/users';
import UserX from 'lucide-react/icons/user-x';
import { type FormEvent, useRef, useState } from 'react';
import { fieldState, FormError } from '@/features/auth/FormError';
import { identity } from '@/shared/api/identity';
import type { MemberGroup } from '@/shared/api/types';
import { formText } from '@/shared/lib/formText';
import { useMe } from '@/shared/lib/useMe';
import { usePages } from '@/shared/lib/usePages';
import { texts } from '@/shared/texts';
import card from '@/shared/ui/card.module.css';
import { Confirm } from '@/shared/ui/Confirm';
import { Dialog } from '@/shared/ui/Dialog';
import classes from '@/shared/ui/form.module.css';
import { notifyDone } from '@/shared/ui/notify';
import { LoadError, Message, PageSkeleton } from '@/shared/ui/states';
import own from './Groups.module.css';

const words = texts.organization.groups;

export function Groups() {
  const { can } = useMe();
  const list = usePages(['groups'], identity.groups);
  const [opened, setOpened] = useState<MemberGroup | null>(null);
  if (list.isPending) return <PageSkeleton rows={3} />;
  if (list.isError && list.items.length === 0)
    return <LoadError error={list.error} onRetry={() => void list.refetch()} />;
  return (
    <div className={classes.section}>
      <div className={classes.dim}>{words.text}</div>
      {can('member.update') && <CreateGroup />}
      {list.items.length === 0 ? (
        <Message icon={<Users size={28} />} title={words.empty.title} text={words.empty.text} />
      ) : (
        <ul className={`${card.card} ${own.list}`}>
          {list.items.map((group) => (
            <GroupRow key={group.id} group={group} onOpen={() => setOpened(group)} />
          ))}
        </ul>
      )}
      {list.hasNextPage && (
        <Button variant="default" loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          {texts.showMore}
        </Button>
      )}
      {opened !== null && <GroupMembers group={opened} onClose={() => setOpened(null)} />}
    </div>
  );
}

function CreateGroup() {
  const client = useQueryClient();
  const form = useRef<HTMLFormElement>(null);
  const create = useMutation({
    meta: { ownError: true },
    mutationFn: identity.createGroup,
    onSuccess: async (group) => {
      form.current?.reset();
      await client.invalidateQueries({ queryKey: ['groups'] });
      notifyDone(words.created(group.name));
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    create.mutate(formText(new FormData(event.currentTarget), 'name').trim());
  };
  return (
    <form ref={form} className={own.create} onSubmit={submit}>
      <TextInput
        name="name"
        aria-label={words.name}
        placeholder={words.name}
        required
        maxLength={100}
        {...fieldState(create.error, 'name')}
      />
      <Button type="submit" loading={create.isPending}>
        {words.create}
      </Button>
      <FormError error={create.error} />
    </form>
  );
}

function GroupRow({ group, onOpen }: { group: MemberGroup; onOpen: () => void }) {
  const client = useQueryClient();
  const { can } = useMe();
  const [doomed, setDoomed] = useState(false);
  const remove = useMutation({
    mutationFn: () => identity.deleteGroup(group.id),
    onSuccess: () => notifyDone(words.deleted(group.name)),
    onSettled: () => {
      setDoomed(false);
      return client.invalidateQueries({ queryKey: ['groups'] });
    },
  });
  return (
    <li className={own.row}>
      <Button variant="subtle" leftSection={<Users size={17} aria-hidden />} onClick={onOpen}>
        {group.name}
      </Button>
      {can('member.update') && (
        <ActionIcon
          variant="subtle"
          color="red"
          aria-label={`${words.delete}: ${group.name}`}
          onClick={() => setDoomed(true)}
        >
          <Trash size={17} aria-hidden />
        </ActionIcon>
      )}
      <Confirm
        opened={doomed}
        title={words.deleteTitle}
        text={words.deleteText(group.name)}
        action={words.delete}
        busy={remove.isPending}
        onClose={() => setDoomed(false)}
        onConfirm={() => remove.mutate()}
      />
    </li>
  );
}

function GroupMembers({ group, onClose }: { group: MemberGroup; onClose: () => void }) {
  const client = useQueryClient();
  const { can } = useMe();
  const everybody = usePages(['members'], identity.members);
  const inside = useQuery({
    queryKey: ['groups', group.id],
    queryFn: ({ signal }) => identity.groupMembers(group.id, { signal }),
  });
  const changed = () => client.invalidateQueries({ queryKey: ['groups', group.id] });
  const add = useMutation({ mutationFn: (user: string) => identity.addToGroup(group.id, user), onSettled: changed });
  const take = useMutation({
    mutationFn: (user: string) => identity.takeFromGroup(group.id, user),
    onSettled: changed,
  });
  const ids = new Set(inside.data?.items.map((member) => member.user_id));
  const others = everybody.items.filter((member) => !ids.has(member.user_id));
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const user = formText(new FormData(event.currentTarget), 'user');
    if (user !== '') add.mutate(user);
  };
  return (
    <Dialog onClose={onClose} title={words.open(group.name)}>
      {inside.isPending ? (
        <PageSkeleton rows={2} />
      ) : (
        <ul className={own.list}>
          {inside.data?.items.length === 0 && <li className={classes.dim}>{words.nobody}</li>}
          {inside.data?.items.map((member) => (
            <li key={member.user_id} className={own.row}>
              <span>{member.name}</span>
              {can('member.update') && (
                <ActionIcon
                  variant="subtle"
                  aria-label={words.removeFor(member.name)}
                  onClick={() => take.mutate(member.user_id)}
                >
                  <UserX size={17} aria-hidden />
                </ActionIcon>
              )}
            </li>
          ))}
        </ul>
      )}
      {can('member.update') && others.length > 0 && (
        <form onSubmit={submit}>
          <Group wrap="nowrap" mt="md">
            <NativeSelect
              name="user"
              aria-label={words.addMember}
              data={others.map((member) => ({ value: member.user_id, label: member.name }))}
            />
            <Button type="submit" loading={add.isPending}>
              {words.add}
            </Button>
          </Group>
        </form>
      )}
    </Dialog>
  );
}
