import { useQuery } from '@tanstack/react-query';
import Check from 'lucide-react/icons/check';
import CircleAlert from 'lucide-react/icons/circle-alert';
import { api } from '@/shared/api/api';
import type { DmsDocument, TimelineEntry } from '@/shared/api/types';
import { useStore } from '@/shared/lib/store';
import { texts } from '@/shared/texts';
import { LoadError, PageSkeleton } from '@/shared/ui/states';
import { Time } from '@/shared/ui/Time';
import { eventsConnected, isUnderWay, pollMs } from './liveUpdates';
import classes from './Timeline.module.css';

/* What has been done with a document since it arrived, step by step. */
export function Timeline({ document }: { document: DmsDocument }) {
  const live = useStore(eventsConnected);
  const query = useQuery({
    queryKey: ['timeline', document.id],
    queryFn: ({ signal }) => api.documentTimeline(document.id, { signal }),
    refetchInterval: !live && isUnderWay(document) ? pollMs : false,
  });
  if (query.isPending) return <PageSkeleton rows={4} />;
  if (query.isError) return <LoadError error={query.error} onRetry={() => void query.refetch()} />;
  if (query.data.items.length === 0) return <p>{texts.document.timeline.empty}</p>;
  return (
    <ol className={classes.list}>
      {query.data.items.map((entry, index) => {
        const failed = entry.step === 'error';
        const detail = detailText(entry);
        return (
          <li key={index} className={classes.entry} data-failed={failed || undefined}>
            <span className={classes.dot}>
              {failed ? <CircleAlert size={14} aria-hidden /> : <Check size={14} aria-hidden />}
            </span>
            <div>
              <strong>{texts.steps[entry.step] ?? entry.step}</strong>
              <span className={classes.sub}>{extras(entry)}</span>
              {detail !== '' && <div className={classes.detail}>{detail}</div>}
              <div className={classes.sub}>
                <Time at={entry.at} />
              </div>
            </div>
          </li>
        );
      })}
    </ol>
  );
}

function extras(entry: TimelineEntry): string {
  const { attempt, version } = texts.document.timeline;
  const parts = [entry.version > 1 ? version(entry.version) : '', entry.attempt > 1 ? attempt(entry.attempt) : ''];
  return parts.map((part) => (part === '' ? '' : ' · ' + part)).join('');
}

/* What a step tells about itself, as far as it is meant for people. */
function detailText(entry: TimelineEntry): string {
  const words = Object.entries(entry.detail).map(([name, value]) => {
    if (typeof value === 'number') return texts.document.timeline.details[name]?.(value) ?? '';
    return typeof value === 'string' && (name === 'message' || name === 'mime_type' || name === 'note') ? value : '';
  });
  return words.filter((word) => word !== '').join(', ');
}
