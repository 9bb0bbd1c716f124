import { Alert, Badge, Button, SegmentedControl, Tooltip } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import Search from 'lucide-react/icons/search';
import { useState } from 'react';
import { Link, useSearchParams } from 'wouter';
import { api } from '@/shared/api/api';
import type { SearchAnswer, SearchHit, SearchLeg, SearchMode } from '@/shared/api/types';
import { partsByCodePoints } from '@/shared/lib/highlights';
import { usePageTitle } from '@/shared/lib/usePageTitle';
import { texts } from '@/shared/texts';
import { Marked } from '@/shared/ui/Marked';
import { LoadError, Message, PageSkeleton } from '@/shared/ui/states';
import { hitHref } from './hitHref';
import classes from './SearchPage.module.css';

const modes: SearchMode[] = ['hybrid', 'keyword', 'semantic'];
const step = 20;
const most = 100; /* the API's limit */

export default function SearchPage() {
  const [parameters, setParameters] = useSearchParams();
  const query = (parameters.get('q') ?? '').trim();
  const mode = modes.find((name) => name === parameters.get('mode')) ?? 'hybrid';
  usePageTitle(query === '' ? texts.search.title : query);
  const choose = (value: string) =>
    setParameters(
      (before) => {
        const next = new URLSearchParams(before);
        if (value === 'hybrid') next.delete('mode');
        else next.set('mode', value);
        return next;
      },
      { replace: true },
    );
  return (
    <>
      <h1 className={classes.hidden}>{texts.search.title}</h1>
      <div className={classes.bar}>
        <SegmentedControl
          aria-label={texts.search.mode}
          value={mode}
          onChange={choose}
          data={modes.map((value) => ({ value, label: texts.search.modes[value] }))}
        />
        <span className={classes.hint}>{texts.search.modeHints[mode]}</span>
      </div>
      {query === '' ? (
        <Message icon={<Search size={28} />} title={texts.search.start.title} text={texts.search.start.text} />
      ) : (
        <Results key={mode} query={query} mode={mode} onMode={choose} />
      )}
    </>
  );
}

function Results({ query, mode, onMode }: { query: string; mode: SearchMode; onMode: (mode: SearchMode) => void }) {
  const [limits, setLimits] = useState({ query, limit: step });
  const limit = limits.query === query ? limits.limit : step;
  const search = useQuery({
    queryKey: ['search', query, mode, limit],
    queryFn: ({ signal }) => api.search(query, mode, limit, { signal }),
    placeholderData: keepPreviousData,
    staleTime: 30_000,
  });
  if (search.isPending) return <PageSkeleton rows={5} />;
  if (search.isError) return <LoadError error={search.error} onRetry={() => void search.refetch()} />;
  const { items } = search.data;
  const more = items.length >= limit && limit < most;
  return (
    <div className={classes.results} data-dim={search.isPlaceholderData || undefined}>
      <Summary answer={search.data} />
      <Degraded legs={search.data.legs ?? []} />
      {items.length === 0 ? (
        <Message
          title={texts.search.empty(query)}
          text={texts.search.emptyText}
          action={
            mode !== 'hybrid' ? (
              <Button variant="light" onClick={() => onMode('hybrid')}>
                {texts.search.tryMode(texts.search.modes.hybrid)}
              </Button>
            ) : undefined
          }
        />
      ) : (
        <ol className={classes.list}>
          {items.map((hit, index) => (
            <Hit key={hit.chunk_id ?? index} hit={hit} />
          ))}
        </ol>
      )}
      {more && (
        <div className={classes.more}>
          <Button
            variant="default"
            loading={search.isFetching}
            onClick={() => setLimits({ query, limit: Math.min(most, limit + step) })}
          >
            {texts.showMore}
          </Button>
        </div>
      )}
    </div>
  );
}

function Summary({ answer }: { answer: SearchAnswer }) {
  const legs = (answer.legs ?? []).map((leg) => texts.search.leg(leg.name, leg.state, leg.ms)).join(' · ');
  return (
    <p className={classes.summary} role="status">
      {texts.search.results(answer.total ?? answer.items.length)}
      {answer.took_ms !== null && (
        <Tooltip
          label={legs}
          disabled={legs === ''}
          multiline
          maw={320}
          events={{ hover: true, focus: true, touch: true }}
        >
          <span tabIndex={0} className={classes.took}>
            {texts.search.took(answer.took_ms)}
          </span>
        </Tooltip>
      )}
    </p>
  );
}

const goodStates = /^(ok|done|used|skipped|off|not_asked|ready)$/;

function Degraded({ legs }: { legs: SearchLeg[] }) {
  const bad = legs.filter((leg) => !goodStates.test(leg.state)).map((leg) => leg.name);
  if (bad.length === 0) return null;
  return (
    <Alert color="yellow" mb="md">
      {texts.search.degraded(bad.join(', '))}
    </Alert>
  );
}

function Hit({ hit }: { hit: SearchHit }) {
  const parts = partsByCodePoints(hit.snippet, hit.highlights);
  return (
    <li className={classes.hit}>
      <div className={classes.hitHead}>
        <Link href={hitHref(hit, parts)} state={{ snippet: hit.snippet }} className={classes.hitTitle}>
          {hit.title}
        </Link>
        <Found ranks={hit.ranks} />
      </div>
      <p className={classes.snippet}>
        <Marked parts={parts} />
      </p>
      <p className={classes.place}>
        {[hit.name === hit.title ? null : hit.name, hit.page === null ? null : texts.search.page(hit.page), hit.section]
          .filter((part) => part !== null && part !== undefined && part !== '')
          .join(' · ')}
      </p>
    </li>
  );
}

/* Says why it is here when only one of the two ways has found it. */
function Found({ ranks }: { ranks: SearchHit['ranks'] }) {
  const byWords = ranks?.keyword != null;
  const byMeaning = ranks?.vector != null;
  if (byWords === byMeaning) return null;
  return (
    <Badge className={classes.found} variant="light" tt="none" fw={500} color={byWords ? 'gray' : 'brand'}>
      {byWords ? texts.search.byWords : texts.search.byMeaning}
    </Badge>
  );
}
