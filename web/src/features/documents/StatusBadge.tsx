import { Loader } from '@mantine/core';
import Check from 'lucide-react/icons/check';
import CircleAlert from 'lucide-react/icons/circle-alert';
import Clock from 'lucide-react/icons/clock';
import Trash from 'lucide-react/icons/trash-2';
import type { ReactNode } from 'react';
import type { DocumentStatus } from '@/shared/api/types';
import { texts } from '@/shared/texts';
import { Pill, type Tone } from '@/shared/ui/Pill';

const looks: Record<DocumentStatus, { tone: Tone; icon: ReactNode }> = {
  pending: { tone: 'gray', icon: <Clock size={13} aria-hidden /> },
  processing: { tone: 'blue', icon: <Loader size={12} color="currentColor" aria-hidden /> },
  processed: { tone: 'green', icon: <Check size={13} aria-hidden /> },
  error: { tone: 'red', icon: <CircleAlert size={13} aria-hidden /> },
  deleted: { tone: 'gray', icon: <Trash size={13} aria-hidden /> },
};

export function StatusBadge({ status, step }: { status: DocumentStatus; step?: string | undefined }) {
  const detail = status === 'processing' && step !== undefined ? texts.steps[step] : undefined;
  return (
    <Pill {...looks[status]} status={status}>
      {detail ?? texts.documents.status[status]}
    </Pill>
  );
}
