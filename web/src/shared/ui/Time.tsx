import { formatAgo, formatTime } from '@/shared/lib/format';
import { useNow } from '@/shared/lib/useNow';

export function Time({ at }: { at: string }) {
  const now = useNow();
  return (
    <time dateTime={at} title={formatTime(at)}>
      {formatAgo(at, now)}
    </time>
  );
}
