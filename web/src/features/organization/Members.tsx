import { ActionIcon, Button, NativeSelect, Table, Text, VisuallyHidden } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import UserPlus from 'lucide-react/icons/user-plus';
import UserX from 'lucide-react/icons/user-x';
import { useState } from 'react';
import { identity } from '@/shared/api/identity';
import type { Member } from '@/shared/api/types';
import { useMe } from '@/shared/lib/useMe';
import { usePages } from '@/shared/lib/usePages';
import { texts } from '@/shared/texts';
import card from '@/shared/ui/card.module.css';
import { Confirm } from '@/shared/ui/Confirm';
import classes from '@/shared/ui/form.module.css';
import { notifyDone } from '@/shared/ui/notify';
import { LoadError, PageSkeleton } from '@/shared/ui/states';
import { Time } from '@/shared/ui/Time';
import { Invitations } from './Invitations';
import { Invite } from './Invite';
import { roleFields, roleValue, useRoles } from './useRoles';

const words = texts.organization.members;

export function Members() {
  const { can } = useMe();
  const [inviting, setInviting] = useState(false);
  const list = usePages(['members'], identity.members);
  if (list.isPending) return <PageSkeleton rows={4} />;
  if (list.isError && list.items.length === 0)
    return <LoadError error={list.error} onRetry={() => void list.refetch()} />;
  return (
    <div className={classes.section}>
      {can('member.invite') && (
        <div>
          <Button leftSection={<UserPlus size={17} aria-hidden />} onClick={() => setInviting(true)}>
            {words.invite}
          </Button>
        </div>
      )}
      <div className={card.card}>
        <Table verticalSpacing={10} horizontalSpacing="md" className={classes.table}>
          <Table.Thead className={classes.head}>
            <Table.Tr>
              <Table.Th>{words.columns.name}</Table.Th>
              <Table.Th>{words.columns.role}</Table.Th>
              <Table.Th className={classes.wide}>{words.columns.joined}</Table.Th>
              <Table.Th className={classes.action}>
                <VisuallyHidden>{texts.documents.actions}</VisuallyHidden>
              </Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {list.items.map((member) => (
              <Row key={member.user_id} member={member} />
            ))}
          </Table.Tbody>
        </Table>
      </div>
      {list.hasNextPage && (
        <Button variant="default" loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          {texts.showMore}
        </Button>
      )}
      {can('member.invite') && <Invitations />}
      {inviting && <Invite onClose={() => setInviting(false)} />}
    </div>
  );
}

function Row({ member }: { member: Member }) {
  const client = useQueryClient();
  const { me, can } = useMe();
  const { roles } = useRoles();
  const [leaving, setLeaving] = useState(false);
  const isMe = me?.user.id === member.user_id;
  const change = useMutation({
    mutationFn: (value: string) => identity.changeMember(member.user_id, roleFields(value, roles)),
    onSuccess: (_answer, value) => {
      const role = roles.find((entry) => roleValue(entry) === value);
      notifyDone(words.changed(member.name, role?.name ?? value));
    },
    onSettled: () => client.invalidateQueries({ queryKey: ['members'] }),
  });
  const remove = useMutation({
    mutationFn: () => identity.removeMember(member.user_id),
    onSuccess: () => notifyDone(words.removed(member.name)),
    onSettled: () => {
      setLeaving(false);
      return client.invalidateQueries({ queryKey: ['members'] });
    },
  });
  const current = member.role_id ?? member.role;
  return (
    <Table.Tr>
      <Table.Td>
        <div className={classes.strong}>
          {member.name} {isMe && <Text span c="dimmed" size="xs">{`(${words.you})`}</Text>}
        </div>
        <span className={classes.dim}>{member.email}</span>
      </Table.Td>
      <Table.Td>
        {can('member.update') && !isMe && roles.length > 0 ? (
          <NativeSelect
            size="xs"
            aria-label={words.change(member.name)}
            value={current}
            disabled={change.isPending}
            onChange={(event) => change.mutate(event.currentTarget.value)}
            data={roles.map((role) => ({ value: roleValue(role), label: role.name }))}
          />
        ) : (
          member.role_name
        )}
      </Table.Td>
      <Table.Td className={classes.wide}>
        <Time at={member.created_at} />
      </Table.Td>
      <Table.Td className={classes.action}>
        {can('member.remove') && !isMe && (
          <ActionIcon
            variant="subtle"
            color="red"
            aria-label={words.removeFor(member.name)}
            onClick={() => setLeaving(true)}
          >
            <UserX size={17} aria-hidden />
          </ActionIcon>
        )}
        <Confirm
          opened={leaving}
          title={words.removeTitle}
          text={words.removeText(member.name)}
          action={words.remove}
          busy={remove.isPending}
          onClose={() => setLeaving(false)}
          onConfirm={() => remove.mutate()}
        />
      </Table.Td>
    </Table.Tr>
  );
}
