import { ActionIcon, Button, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import ChevronDown from 'lucide-react/icons/chevron-down';
import ChevronUp from 'lucide-react/icons/chevron-up';
import Search from 'lucide-react/icons/search';
import { type KeyboardEvent, memo, useDeferredValue, useEffect, useMemo, useRef, useState } from 'react';
import { api } from '@/shared/api/api';
import { wordsToMark } from '@/shared/lib/highlights';
import { texts } from '@/shared/texts';
import { LoadError, Message, PageSkeleton } from '@/shared/ui/states';
import classes from './TextView.module.css';
import {
  cutIntoBlocks,
  findInBlocks,
  findPassage,
  firstMatch,
  type Match,
  segmentsOf,
  type TextBlock,
} from './textBlocks';

const blocksAtFirst = 40;

interface TextViewProps {
  id: string;
  version: number;
  find: string;
  page: number | null;
  snippet: string | null /* the passage a search result pointed at */;
}

export function TextView({ id, version, find, page, snippet }: TextViewProps) {
  const text = useQuery({
    queryKey: ['text', id, version],
    queryFn: ({ signal }) => api.documentText(id, { signal }),
    staleTime: Infinity,
  });
  if (text.isPending) return <PageSkeleton />;
  if (text.isError) return <LoadError error={text.error} onRetry={() => void text.refetch()} />;
  if (text.data.trim() === '')
    return <Message title={texts.document.text.none.title} text={texts.document.text.none.text} />;
  return <Reader text={text.data} find={find} page={page} snippet={snippet} />;
}

function Reader({
  text,
  find,
  page,
  snippet,
}: {
  text: string;
  find: string;
  page: number | null;
  snippet: string | null;
}) {
  const blocks = useMemo(() => cutIntoBlocks(text), [text]);
  const passage = useMemo(
    () => (snippet === null ? null : findPassage(blocks, snippet, page)),
    [blocks, snippet, page],
  );
  const [query, setQuery] = useState(find);
  const wanted = useDeferredValue(query);
  const matches = useMemo(() => findInBlocks(blocks, wordsToMark(wanted)), [blocks, wanted]);
  const start = wanted === find ? firstMatch(matches, blocks, passage, page ?? 1) : 0;
  const [moved, setMoved] = useState<{ query: string; to: number } | null>(null);
  const current = Math.min(moved?.query === wanted ? moved.to : start, Math.max(0, matches.length - 1));
  const [more, setMore] = useState(blocksAtFirst);
  const target =
    matches[current]?.block ??
    passage?.block ??
    Math.max(
      0,
      blocks.findIndex((block) => block.page === page),
    );
  const shown = Math.max(more, target + 1);
  const body = useRef<HTMLDivElement>(null);

  /* Show the match; when there is none yet, the passage or the page that was asked for. */
  const asked = matches.length > 0 || snippet !== null || page !== null;
  useEffect(() => {
    if (!asked) return;
    const element =
      body.current?.querySelector('[data-current]') ??
      body.current?.querySelector('[data-passage]') ??
      (page === null ? null : body.current?.querySelector(`[data-page="${String(page)}"]`));
    element?.scrollIntoView({ block: 'center' });
  }, [asked, current, wanted, page]);

  const go = (by: number) => {
    if (matches.length > 0) setMoved({ query: wanted, to: (current + by + matches.length) % matches.length });
  };
  const pages = blocks[blocks.length - 1]?.page ?? 1;

  return (
    <div>
      <FindBar query={query} onQuery={setQuery} current={current} total={matches.length} onGo={go} />
      <div ref={body} className={classes.body} aria-label={texts.document.text.label} role="region">
        {blocks.slice(0, shown).map((block, index) => (
          <Block
            key={index}
            block={block}
            pages={pages}
            passage={passage?.block === index ? passage : null}
            {...matchesOf(matches, index)}
            current={matches[current]?.block === index ? current : null}
          />
        ))}
        {shown < blocks.length && (
          <Button variant="default" onClick={() => setMore(shown + blocksAtFirst)}>
            {texts.document.text.more}
          </Button>
        )}
      </div>
    </div>
  );
}

const noMatches: readonly Match[] = [];

function matchesOf(matches: readonly Match[], block: number): { matches: readonly Match[]; offset: number } {
  const offset = matches.findIndex((match) => match.block === block);
  if (offset < 0) return { matches: noMatches, offset: 0 };
  return { matches: matches.filter((match) => match.block === block), offset };
}

interface FindBarProps {
  query: string;
  onQuery: (query: string) => void;
  current: number;
  total: number;
  onGo: (by: number) => void;
}

function FindBar({ query, onQuery, current, total, onGo }: FindBarProps) {
  const keys = (event: KeyboardEvent<HTMLInputElement>) => {
    if (event.key === 'Enter') onGo(event.shiftKey ? -1 : 1);
    if (event.key === 'Escape') onQuery('');
  };
  const active = query.trim() !== '';
  return (
    <div className={classes.find}>
      <TextInput
        className={classes.findInput}
        size="sm"
        leftSection={<Search size={16} aria-hidden />}
        aria-label={texts.document.text.find}
        placeholder={texts.document.text.find}
        value={query}
        onChange={(event) => onQuery(event.currentTarget.value)}
        onKeyDown={keys}
      />
      <ActionIcon.Group>
        <ActionIcon
          variant="default"
          size={36}
          disabled={total === 0}
          aria-label={texts.document.text.previous}
          onClick={() => onGo(-1)}
        >
          <ChevronUp size={18} aria-hidden />
        </ActionIcon>
        <ActionIcon
          variant="default"
          size={36}
          disabled={total === 0}
          aria-label={texts.document.text.next}
          onClick={() => onGo(1)}
        >
          <ChevronDown size={18} aria-hidden />
        </ActionIcon>
      </ActionIcon.Group>
      <span role="status" className={classes.count}>
        {active && texts.document.text.matches(current + 1, total)}
      </span>
    </div>
  );
}

interface BlockProps {
  block: TextBlock;
  pages: number;
  matches: readonly Match[];
  offset: number;
  current: number | null;
  passage: Match | null;
}

const Block = memo(
  function Block({ block, pages, matches, offset, current, passage }: BlockProps) {
    return (
      <>
        {block.first && pages > 1 && (
          <h2 className={classes.page} data-page={block.page}>
            {texts.document.text.page(block.page, pages)}
          </h2>
        )}
        <div className={classes.block}>
          {segmentsOf(block.text, matches, offset, passage).map((segment, index) => {
            const words =
              segment.match === null ? (
                segment.text
              ) : (
                <mark key={index} data-current={segment.match === current || undefined}>
                  {segment.text}
                </mark>
              );
            return segment.passage ? (
              <span key={index} className={classes.passage} data-passage>
                {words}
              </span>
            ) : (
              words
            );
          })}
        </div>
      </>
    );
  },
  (a, b) =>
    a.block === b.block &&
    a.current === b.current &&
    a.passage === b.passage &&
    a.pages === b.pages &&
    a.offset === b.offset &&
    a.matches.length === b.matches.length &&
    a.matches.every((match, index) => match === b.matches[index]),
);
