import { Alert, Button, Group } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useSearchParams } from 'wouter';
import { identity } from '@/shared/api/identity';
import type { LinkedIdentity } from '@/shared/api/types';
import { texts } from '@/shared/texts';
import card from '@/shared/ui/card.module.css';
import { Confirm } from '@/shared/ui/Confirm';
import classes from '@/shared/ui/form.module.css';
import { notifyDone } from '@/shared/ui/notify';
import { LoadError, PageSkeleton } from '@/shared/ui/states';
import { Time } from '@/shared/ui/Time';
import own from './Providers.module.css';
import { useProviders } from './useProviders';

const words = texts.account.providers;

/* The accounts elsewhere with which this person signs in. Linking one leads to its provider and back to here. */
export function Providers() {
  const { providers, identities, isPending, error, refetch, labelOf } = useProviders();
  const link = useMutation({
    mutationFn: identity.link,
    onSuccess: ({ location: there }) => location.assign(there),
  });
  if (isPending) return <PageSkeleton rows={2} />;
  if (error !== null) return <LoadError error={error} onRetry={() => void refetch()} />;
  return (
    <div className={classes.section}>
      <Outcome labelOf={labelOf} />
      <div className={classes.dim}>{words.text}</div>
      {identities.length > 0 && (
        <ul className={`${card.card} ${own.list}`} aria-label={texts.account.tabs.providers}>
          {identities.map((row) => (
            <Row key={row.id} row={row} label={labelOf(row.provider)} />
          ))}
        </ul>
      )}
      <Group>
        {providers.map(({ name, label }) => (
          <Button
            key={name}
            variant="default"
            loading={link.isPending && link.variables === name}
            onClick={() => link.mutate(name)}
          >
            {words.link(label)}
          </Button>
        ))}
      </Group>
    </div>
  );
}

/* How the way to a provider ended: the server writes it into the address with which it sends the browser back. */
function Outcome({ labelOf }: { labelOf: (name: string) => string }) {
  const [search] = useSearchParams();
  const linked = search.get('linked');
  const failed = search.get('error');
  if (linked === null && failed === null) return null;
  return (
    <Alert color={failed === null ? 'green' : 'red'} role={failed === null ? 'status' : 'alert'}>
      {failed === null ? words.linked(labelOf(linked ?? '')) : (words.failures[failed] ?? words.failed)}
    </Alert>
  );
}

function Row({ row, label }: { row: LinkedIdentity; label: string }) {
  const client = useQueryClient();
  const [leaving, setLeaving] = useState(false);
  const unlink = useMutation({
    mutationFn: () => identity.unlink(row.id),
    onSuccess: () => notifyDone(words.unlinked(label)),
    onSettled: () => {
      setLeaving(false);
      return client.invalidateQueries({ queryKey: ['identities'] });
    },
  });
  const name = row.email === null ? label : `${label}, ${row.email}`;
  return (
    <li className={own.row}>
      <div>
        <div className={classes.strong}>{label}</div>
        <div className={classes.dim}>
          {row.email ?? texts.none} · {words.lastUsed}{' '}
          {row.last_used_at === null ? words.never : <Time at={row.last_used_at} />}
        </div>
      </div>
      <Button
        size="compact-sm"
        variant="light"
        color="red"
        aria-label={words.unlinkFor(name)}
        onClick={() => setLeaving(true)}
      >
        {words.unlink}
      </Button>
      <Confirm
        opened={leaving}
        title={words.unlinkTitle}
        text={words.unlinkText(name)}
        action={words.unlink}
        busy={unlink.isPending}
        onClose={() => setLeaving(false)}
        onConfirm={() => unlink.mutate()}
      />
    </li>
  );
}
