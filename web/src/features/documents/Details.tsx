import { Badge } from '@mantine/core';
import type { ReactNode } from 'react';
import type { DmsDocument } from '@/shared/api/types';
import { formatBytes, formatCount } from '@/shared/lib/format';
import { texts } from '@/shared/texts';
import { CopyButton } from '@/shared/ui/CopyButton';
import { Time } from '@/shared/ui/Time';
import classes from './Details.module.css';

type Row = [label: string, value: ReactNode];

const known = new Set(['title', 'tags']); /* shown elsewhere on the page */

export function Details({ document }: { document: DmsDocument }) {
  const { fields } = texts.document;
  const rows: Row[] = [
    [fields.name, document.name],
    [fields.kind, document.mime_type],
    [fields.size, formatBytes(document.size)],
    [fields.version, document.version_label ?? String(document.version)],
    [fields.pages, document.page_count === null ? null : formatCount(document.page_count)],
    [fields.passages, document.chunk_count === null ? null : formatCount(document.chunk_count)],
    [fields.language, languageName(document.language)],
    [fields.lifecycle, words(document.lifecycle)],
    [fields.classification, words(document.classification)],
    [fields.owner, document.owner?.name],
    [fields.created, <Time key="created" at={document.created_at} />],
    [fields.updated, <Time key="updated" at={document.updated_at} />],
    [fields.tags, document.tags.length === 0 ? null : <Tags key="tags" tags={document.tags} />],
    [fields.sha256, <Checksum key="sha256" value={document.sha256} />],
  ];
  const metadata = Object.entries(document.metadata ?? {}).filter(([name]) => !known.has(name));
  return (
    <>
      <h2 className={classes.heading}>{texts.document.details}</h2>
      <List rows={rows} />
      {metadata.length > 0 && (
        <>
          <h2 className={classes.heading}>{texts.document.frontMatter}</h2>
          <List rows={metadata.map(([name, value]) => [name, valueText(value)])} />
        </>
      )}
    </>
  );
}

function List({ rows }: { rows: Row[] }) {
  return (
    <dl className={classes.list}>
      {rows
        .filter(([, value]) => value !== null && value !== undefined && value !== '')
        .map(([label, value]) => (
          <div key={label} className={classes.row}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

function Tags({ tags }: { tags: string[] }) {
  return (
    <span className={classes.tags}>
      {tags.map((tag) => (
        <Badge key={tag} variant="light" tt="none" fw={500}>
          {tag}
        </Badge>
      ))}
    </span>
  );
}

function Checksum({ value }: { value: string }) {
  return (
    <span className={classes.checksum}>
      <code title={value}>{value.slice(0, 10)}…</code>
      <CopyButton value={value} />
    </span>
  );
}

function words(value: string | null): string | null {
  if (value === null) return null;
  const text = value.replace(/_/g, ' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function languageName(code: string | null): string | null {
  if (code === null || code === '') return null;
  try {
    return new Intl.DisplayNames(undefined, { type: 'language' }).of(code) ?? code;
  } catch {
    return code; /* not a language tag */
  }
}

function valueText(value: unknown): string {
  if (Array.isArray(value)) return value.map(valueText).join(', ');
  if (value === null || value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
