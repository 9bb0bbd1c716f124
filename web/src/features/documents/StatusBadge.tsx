import { Badge, Loader } from '@mantine/core';
import Check from 'lucide-react/icons/check';
import CircleAlert from 'lucide-react/icons/circle-alert';
import Clock from 'lucide-react/icons/clock';
import Trash from 'lucide-react/icons/trash-2';
import type { DocumentStatus } from '@/shared/api/types';
import { texts } from '@/shared/texts';
import classes from './StatusBadge.module.css';

const looks: Record<DocumentStatus, { tone: string | undefined; icon: React.ReactNode }> = {
  pending: { tone: classes.gray, icon: <Clock size={13} aria-hidden /> },
  processing: { tone: classes.blue, icon: <Loader size={12} color="currentColor" aria-hidden /> },
  processed: { tone: classes.green, icon: <Check size={13} aria-hidden /> },
  error: { tone: classes.red, icon: <CircleAlert size={13} aria-hidden /> },
  deleted: { tone: classes.gray, icon: <Trash size={13} aria-hidden /> },
};

export function StatusBadge({ status, step }: { status: DocumentStatus; step?: string | undefined }) {
  const look = looks[status];
  const detail = status === 'processing' && step !== undefined ? texts.steps[step] : undefined;
  return (
    <Badge
      className={`${classes.badge} ${look.tone}`}
      leftSection={look.icon}
      variant="transparent"
      data-status={status}
      title={detail}
    >
      {detail ?? texts.documents.status[status]}
    </Badge>
  );
}
