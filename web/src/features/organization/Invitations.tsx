import { Button, Table, VisuallyHidden } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { identity } from '@/shared/api/identity';
import type { Invitation } from '@/shared/api/types';
import { formatTime } from '@/shared/lib/format';
import { usePages } from '@/shared/lib/usePages';
import { texts } from '@/shared/texts';
import card from '@/shared/ui/card.module.css';
import classes from '@/shared/ui/form.module.css';
import { notifyDone } from '@/shared/ui/notify';

const words = texts.organization.invitations;

/* Those who were asked and have not come yet; nothing at all when there are none. */
export function Invitations() {
  const client = useQueryClient();
  const list = usePages(['invitations'], identity.invitations);
  const withdraw = useMutation({
    mutationFn: (invitation: Invitation) => identity.withdraw(invitation.id),
    onSuccess: (_answer, { email }) => notifyDone(words.withdrawn(email)),
    onSettled: () => client.invalidateQueries({ queryKey: ['invitations'] }),
  });
  if (list.items.length === 0) return null;
  return (
    <section className={classes.section} aria-label={words.title}>
      <h2>{words.title}</h2>
      <div className={card.card}>
        <Table verticalSpacing={10} horizontalSpacing="md" className={classes.table}>
          <Table.Thead className={classes.head}>
            <Table.Tr>
              <Table.Th>{texts.auth.email}</Table.Th>
              <Table.Th>{texts.organization.members.role}</Table.Th>
              <Table.Th className={classes.wide}>{words.expires}</Table.Th>
              <Table.Th>
                <VisuallyHidden>{texts.documents.actions}</VisuallyHidden>
              </Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {list.items.map((invitation) => (
              <Table.Tr key={invitation.id}>
                <Table.Td className={classes.strong}>{invitation.email}</Table.Td>
                <Table.Td>{invitation.role}</Table.Td>
                <Table.Td className={classes.wide}>{formatTime(invitation.expires_at)}</Table.Td>
                <Table.Td>
                  <Button
                    size="compact-sm"
                    variant="light"
                    color="red"
                    aria-label={words.withdrawFor(invitation.email)}
                    onClick={() => withdraw.mutate(invitation)}
                  >
                    {words.withdraw}
                  </Button>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
    </section>
  );
}
