import { ActionIcon, Button, Progress, UnstyledButton } from '@mantine/core';
import Check from 'lucide-react/icons/check';
import ChevronDown from 'lucide-react/icons/chevron-down';
import ChevronUp from 'lucide-react/icons/chevron-up';
import CircleAlert from 'lucide-react/icons/circle-alert';
import FileIcon from 'lucide-react/icons/file';
import X from 'lucide-react/icons/x';
import { useState } from 'react';
import { Link } from 'wouter';
import { formatBytes } from '@/shared/lib/format';
import { texts } from '@/shared/texts';
import { processingSteps, progressOf, type Upload } from './queue';
import classes from './UploadTray.module.css';
import { uploads } from './uploads';

const shownAtMost = 200; /* rows in the page; a folder can bring thousands */

export function UploadTray({ rows }: { rows: readonly Upload[] }) {
  const [collapsed, setCollapsed] = useState(false);
  const done = rows.filter((row) => row.phase === 'done').length;
  const failed = rows.filter((row) => row.phase === 'failed').length;
  const active = rows.length - done - failed;
  const summary = active > 0 ? texts.upload.summaryActive(done, rows.length) : texts.upload.summaryDone(done);

  return (
    <section className={classes.tray} aria-label={texts.upload.region} data-collapsed={collapsed || undefined}>
      <div className={classes.head}>
        <span role="status" className={classes.summary}>
          {summary}
          {failed > 0 && <span className={classes.failed}> · {texts.upload.summaryFailed(failed)}</span>}
        </span>
        <ActionIcon
          variant="subtle"
          color="gray"
          aria-label={collapsed ? texts.upload.expand : texts.upload.collapse}
          aria-expanded={!collapsed}
          onClick={() => setCollapsed(!collapsed)}
        >
          {collapsed ? <ChevronUp size={18} aria-hidden /> : <ChevronDown size={18} aria-hidden />}
        </ActionIcon>
        <ActionIcon
          variant="subtle"
          color="gray"
          aria-label={texts.upload.clear}
          disabled={done + failed === 0}
          onClick={() => uploads.clearFinished()}
        >
          <X size={18} aria-hidden />
        </ActionIcon>
      </div>
      {active > 0 && (
        <Progress
          value={
            (rows.reduce((sum, row) => sum + (row.phase === 'failed' ? 1 : progressOf(row)), 0) / rows.length) * 100
          }
          size={3}
          radius={0}
          aria-label={texts.upload.region}
        />
      )}
      {!collapsed && (
        <ul className={classes.list}>
          {mostInteresting(rows).map((row) => (
            <Row key={row.id} row={row} />
          ))}
        </ul>
      )}
    </section>
  );
}

function mostInteresting(rows: readonly Upload[]): readonly Upload[] {
  if (rows.length <= shownAtMost) return rows;
  const order: Upload['phase'][] = ['failed', 'uploading', 'processing', 'waiting', 'done'];
  return [...rows].sort((a, b) => order.indexOf(a.phase) - order.indexOf(b.phase)).slice(0, shownAtMost);
}

function Row({ row }: { row: Upload }) {
  return (
    <li className={classes.row} data-phase={row.phase}>
      <span className={classes.icon} aria-hidden="true">
        {row.phase === 'done' ? (
          <Check size={18} />
        ) : row.phase === 'failed' ? (
          <CircleAlert size={18} />
        ) : (
          <FileIcon size={18} />
        )}
      </span>
      <div className={classes.words}>
        {row.documentId === null ? (
          <span className={classes.name}>{row.name}</span>
        ) : (
          <Link className={classes.name} href={`/documents/${row.documentId}`}>
            {row.name}
          </Link>
        )}
        <RowState row={row} />
      </div>
      <div className={classes.action}>
        {row.phase === 'failed' && (
          <Button
            size="compact-xs"
            variant="light"
            color="red"
            aria-label={texts.upload.retry(row.name)}
            onClick={() => uploads.retry(row.id)}
          >
            {texts.retry}
          </Button>
        )}
        <UnstyledButton
          className={classes.dismiss}
          aria-label={isSending(row) ? texts.upload.cancel(row.name) : texts.upload.dismiss(row.name)}
          onClick={() => uploads.remove(row.id)}
        >
          <X size={15} aria-hidden />
        </UnstyledButton>
      </div>
    </li>
  );
}

function RowState({ row }: { row: Upload }) {
  if (row.phase === 'failed')
    return (
      <span className={classes.cause}>
        {row.failure?.message === '' ? texts.errors.processing : row.failure?.message}
        {row.failure?.requestId != null && (
          <span className={classes.request}> {texts.errors.requestId(row.failure.requestId)}</span>
        )}
      </span>
    );
  if (row.phase === 'done')
    return (
      <span className={classes.state}>
        {row.duplicateOf === null ? (
          (row.note ?? texts.steps.done)
        ) : (
          <Link href={`/documents/${row.duplicateOf}`}>{texts.upload.duplicate}</Link>
        )}
      </span>
    );
  return (
    <>
      <span className={classes.state}>{stateText(row)}</span>
      <Steps row={row} />
    </>
  );
}

function stateText(row: Upload): string {
  if (row.phase === 'waiting') return texts.upload.waiting;
  if (row.phase === 'processing') return texts.steps[row.step ?? 'stored'] ?? '';
  const percent = row.size === 0 ? 100 : Math.floor((row.sent / row.size) * 100);
  return percent === 100 ? texts.upload.finishing : `${texts.upload.uploading(percent)} · ${formatBytes(row.size)}`;
}

/* Sending as a bar, then one mark for each step of reading the file. */
function Steps({ row }: { row: Upload }) {
  const reached = row.step === null ? -1 : processingSteps.indexOf(row.step);
  return (
    <div
      className={classes.steps}
      role="progressbar"
      aria-label={texts.upload.progress(row.name)}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(progressOf(row) * 100)}
      aria-valuetext={stateText(row)}
    >
      <span className={classes.bar}>
        <span
          className={classes.fill}
          style={{ transform: `scaleX(${String(row.step === null ? (row.size === 0 ? 0 : row.sent / row.size) : 1)})` }}
        />
      </span>
      {processingSteps.map((step, index) => (
        <span
          key={step}
          className={classes.step}
          data-state={index <= reached ? 'done' : index === reached + 1 && reached >= 0 ? 'now' : undefined}
        />
      ))}
    </div>
  );
}

function isSending(row: Upload): boolean {
  return row.phase === 'waiting' || row.phase === 'uploading';
}
