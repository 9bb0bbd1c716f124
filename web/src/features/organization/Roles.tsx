import { ActionIcon, Button, Table, Text, VisuallyHidden } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import Check from 'lucide-react/icons/check';
import Pencil from 'lucide-react/icons/pencil';
import Plus from 'lucide-react/icons/plus';
import Trash from 'lucide-react/icons/trash-2';
import { useState } from 'react';
import { identity } from '@/shared/api/identity';
import type { Role } from '@/shared/api/types';
import { useMe } from '@/shared/lib/useMe';
import { texts } from '@/shared/texts';
import card from '@/shared/ui/card.module.css';
import { Confirm } from '@/shared/ui/Confirm';
import classes from '@/shared/ui/form.module.css';
import { notifyDone } from '@/shared/ui/notify';
import { LoadError, PageSkeleton } from '@/shared/ui/states';
import { RoleDialog } from './RoleDialog';
import own from './Roles.module.css';
import { roleValue, useRoles } from './useRoles';

const words = texts.organization.roles;

/* What each role may do, as a table: a permission a row. */
export function Roles() {
  const { can } = useMe();
  const query = useRoles();
  const [edited, setEdited] = useState<Role | 'new' | null>(null);
  if (query.isPending) return <PageSkeleton rows={8} />;
  if (query.isError) return <LoadError error={query.error} onRetry={() => void query.refetch()} />;
  const { roles, permissions } = query;
  return (
    <div className={classes.section}>
      <div className={classes.row}>
        <div className={classes.dim}>{words.text}</div>
        {can('member.update') && (
          <Button leftSection={<Plus size={17} aria-hidden />} onClick={() => setEdited('new')}>
            {words.create}
          </Button>
        )}
      </div>
      <div className={`${card.card} ${own.scroll}`} tabIndex={0} role="region" aria-label={words.text}>
        <Table horizontalSpacing="md" className={classes.table}>
          <Table.Thead className={classes.head}>
            <Table.Tr>
              <Table.Th className={own.name}>{words.permission}</Table.Th>
              {roles.map((role) => (
                <Table.Th key={roleValue(role)} className={own.cell} title={role.description ?? undefined}>
                  {role.name}
                  {role.id !== null && can('member.update') && <Actions role={role} onEdit={() => setEdited(role)} />}
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {permissions.map(({ name, description }) => (
              <Table.Tr key={name}>
                <Table.Td className={own.name} title={description}>
                  {name}
                </Table.Td>
                {roles.map((role) => (
                  <Table.Td key={roleValue(role)} className={own.cell}>
                    {role.permissions.includes(name) ? (
                      <>
                        <Check size={16} aria-hidden />
                        <VisuallyHidden>{words.may(role.name)}</VisuallyHidden>
                      </>
                    ) : (
                      <>
                        <Text span c="dimmed" aria-hidden>
                          ·
                        </Text>
                        <VisuallyHidden>{words.mayNot(role.name)}</VisuallyHidden>
                      </>
                    )}
                  </Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
      {edited !== null && <RoleDialog role={edited === 'new' ? null : edited} onClose={() => setEdited(null)} />}
    </div>
  );
}

/* For one of the organization's own roles. The server refuses to delete one that somebody has. */
function Actions({ role, onEdit }: { role: Role; onEdit: () => void }) {
  const client = useQueryClient();
  const [doomed, setDoomed] = useState(false);
  const remove = useMutation({
    mutationFn: (id: string) => identity.deleteRole(id),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ['roles'] });
      notifyDone(words.deleted(role.name));
    },
    onSettled: () => setDoomed(false),
  });
  return (
    <div className={own.actions}>
      <ActionIcon variant="subtle" size="sm" aria-label={words.editFor(role.name)} onClick={onEdit}>
        <Pencil size={15} aria-hidden />
      </ActionIcon>
      <ActionIcon
        variant="subtle"
        size="sm"
        color="red"
        aria-label={words.deleteFor(role.name)}
        onClick={() => setDoomed(true)}
      >
        <Trash size={15} aria-hidden />
      </ActionIcon>
      <Confirm
        opened={doomed}
        title={words.deleteTitle}
        text={words.deleteText(role.name)}
        action={words.delete}
        busy={remove.isPending}
        onClose={() => setDoomed(false)}
        onConfirm={() => {
          if (role.id !== null) remove.mutate(role.id);
        }}
      />
    </div>
  );
}
