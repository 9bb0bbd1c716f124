import { Button, SegmentedControl, Table, VisuallyHidden } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import Activity from 'lucide-react/icons/activity';
import { useState } from 'react';
import { Link } from 'wouter';
import { api } from '@/shared/api/api';
import type { Job, JobState } from '@/shared/api/types';
import { usePages } from '@/shared/lib/usePages';
import { usePageTitle } from '@/shared/lib/usePageTitle';
import { texts } from '@/shared/texts';
import card from '@/shared/ui/card.module.css';
import { notifyDone } from '@/shared/ui/notify';
import { PageHeader } from '@/shared/ui/PageHeader';
import { LoadError, Message, PageSkeleton } from '@/shared/ui/states';
import { Pill, type Tone } from '@/shared/ui/Pill';
import { Time } from '@/shared/ui/Time';
import classes from './JobsPage.module.css';

const refreshMs = 5000;

export default function JobsPage() {
  usePageTitle(texts.jobs.title);
  const client = useQueryClient();
  const [filter, setFilter] = useState<keyof typeof texts.jobs.filters>('all');
  const list = usePages(['jobs', filter], api.jobs, { state: filter === 'all' ? null : filter }, refreshMs);
  const retry = useMutation({
    mutationFn: (job: Job) => api.retryJob(job.id),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ['jobs'] });
      notifyDone(texts.jobs.retried);
    },
  });
  const jobs = list.items;
  const { columns } = texts.jobs;
  return (
    <>
      <PageHeader title={texts.jobs.title} text={texts.jobs.text}>
        <SegmentedControl
          aria-label={texts.jobs.filter}
          value={filter}
          onChange={(value) => setFilter(value as typeof filter)}
          data={Object.entries(texts.jobs.filters).map(([value, label]) => ({ value, label }))}
        />
      </PageHeader>
      {list.isPending ? (
        <PageSkeleton />
      ) : list.isError && jobs.length === 0 ? (
        <LoadError error={list.error} onRetry={() => void list.refetch()} />
      ) : jobs.length === 0 ? (
        <Message icon={<Activity size={28} />} title={texts.jobs.empty.title} text={texts.jobs.empty.text} />
      ) : (
        <div className={card.card}>
          <Table verticalSpacing={9} horizontalSpacing="md" className={classes.table}>
            <Table.Thead className={classes.head}>
              <Table.Tr>
                <Table.Th>{columns.kind}</Table.Th>
                <Table.Th className={classes.state}>{columns.state}</Table.Th>
                <Table.Th className={classes.tries}>{columns.attempts}</Table.Th>
                <Table.Th className={classes.time}>{columns.created}</Table.Th>
                <Table.Th className={classes.time}>{columns.finished}</Table.Th>
                <Table.Th className={classes.action}>
                  <VisuallyHidden>{texts.documents.actions}</VisuallyHidden>
                </Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {jobs.map((job) => (
                <Row key={job.id} job={job} busy={retry.isPending} onRetry={() => retry.mutate(job)} />
              ))}
            </Table.Tbody>
          </Table>
        </div>
      )}
      {list.hasNextPage && (
        <Button mt="md" variant="default" loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          {texts.showMore}
        </Button>
      )}
    </>
  );
}

function Row({ job, busy, onRetry }: { job: Job; busy: boolean; onRetry: () => void }) {
  const error = typeof job.error === 'string' ? job.error : (job.error?.message ?? null);
  return (
    <Table.Tr>
      <Table.Td>
        <div className={classes.kind}>{texts.jobs.kinds[job.kind] ?? job.kind}</div>
        <div className={classes.sub}>
          {job.document_id !== null && <Link href={`/documents/${job.document_id}`}>{texts.jobs.document}</Link>}
          {error !== null && error !== '' && <span className={classes.error}> {error}</span>}
        </div>
      </Table.Td>
      <Table.Td className={classes.state}>
        <Pill tone={tones[job.state]}>{texts.jobs.states[job.state]}</Pill>
      </Table.Td>
      <Table.Td className={classes.tries}>{job.attempts}</Table.Td>
      <Table.Td className={classes.time}>
        <Time at={job.created_at} />
      </Table.Td>
      <Table.Td className={classes.time}>
        {job.finished_at === null ? texts.none : <Time at={job.finished_at} />}
      </Table.Td>
      <Table.Td className={classes.action}>
        {job.state === 'failed' && (
          <Button size="compact-xs" variant="light" disabled={busy} onClick={onRetry}>
            {texts.jobs.retry}
          </Button>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

const tones: Record<JobState, Tone> = {
  queued: 'gray',
  running: 'blue',
  succeeded: 'green',
  failed: 'red',
  cancelled: 'gray',
};
