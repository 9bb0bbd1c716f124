import { Button, Table, VisuallyHidden } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { identity } from '@/shared/api/identity';
import { texts } from '@/shared/texts';
import card from '@/shared/ui/card.module.css';
import classes from '@/shared/ui/form.module.css';
import { notifyDone } from '@/shared/ui/notify';
import { Pill } from '@/shared/ui/Pill';
import { LoadError, PageSkeleton } from '@/shared/ui/states';
import { Time } from '@/shared/ui/Time';

/* Where this person is signed in, with a way to end it there. */
export function Sessions() {
  const client = useQueryClient();
  const words = texts.account.sessions;
  const list = useQuery({ queryKey: ['sessions'], queryFn: ({ signal }) => identity.sessions({ signal }) });
  const after = (message: string) => async () => {
    await client.invalidateQueries({ queryKey: ['sessions'] });
    notifyDone(message);
  };
  const end = useMutation({ mutationFn: identity.endSession, onSuccess: after(words.ended) });
  const endOthers = useMutation({ mutationFn: identity.endOtherSessions, onSuccess: after(words.endedOthers) });
  if (list.isPending) return <PageSkeleton rows={3} />;
  if (list.isError) return <LoadError error={list.error} onRetry={() => void list.refetch()} />;
  const others = list.data.items.some((row) => !row.current);
  return (
    <div className={classes.section}>
      <div className={classes.row}>
        <span className={classes.dim}>{words.text}</span>
        {others && (
          <Button variant="default" size="xs" loading={endOthers.isPending} onClick={() => endOthers.mutate()}>
            {words.endOthers}
          </Button>
        )}
      </div>
      <div className={card.card}>
        <Table verticalSpacing={10} horizontalSpacing="md" className={classes.table}>
          <Table.Thead className={classes.head}>
            <Table.Tr>
              <Table.Th>{texts.account.tabs.sessions}</Table.Th>
              <Table.Th className={classes.wide}>{words.signedIn}</Table.Th>
              <Table.Th className={classes.wide}>{words.lastUsed}</Table.Th>
              <Table.Th>
                <VisuallyHidden>{texts.documents.actions}</VisuallyHidden>
              </Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {list.data.items.map((row) => {
              const name = row.user_agent ?? words.unknown;
              return (
                <Table.Tr key={row.id}>
                  <Table.Td>
                    <div className={classes.strong}>{name}</div>
                    <span className={classes.dim}>{row.ip}</span>
                  </Table.Td>
                  <Table.Td className={classes.wide}>
                    <Time at={row.created_at} />
                  </Table.Td>
                  <Table.Td className={classes.wide}>
                    {row.last_used_at === null ? texts.none : <Time at={row.last_used_at} />}
                  </Table.Td>
                  <Table.Td>
                    {row.current ? (
                      <Pill tone="green">{words.current}</Pill>
                    ) : (
                      <Button
                        size="compact-sm"
                        variant="light"
                        aria-label={words.endFor(name)}
                        onClick={() => end.mutate(row.id)}
                      >
                        {words.end}
                      </Button>
                    )}
                  </Table.Td>
                </Table.Tr>
              );
            })}
          </Table.Tbody>
        </Table>
      </div>
    </div>
  );
}
