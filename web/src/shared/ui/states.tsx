/* What a page shows when there is nothing, not yet anything, or an error. */
import { Button, Skeleton, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import { ApiError } from '@/shared/api/problem';
import { texts } from '@/shared/texts';
import { messageOf } from './notify';
import classes from './states.module.css';

interface MessageProps {
  title: string;
  text?: ReactNode;
  icon?: ReactNode;
  action?: ReactNode;
  whole?: boolean /* it is all there is on the page */;
}

export function Message({ title, text, icon, action, whole = false }: MessageProps) {
  return (
    <div className={classes.message}>
      {icon !== undefined && <div className={classes.icon}>{icon}</div>}
      <Title order={whole ? 1 : 2} size="h3">
        {title}
      </Title>
      {text !== undefined && <div className={classes.text}>{text}</div>}
      {action}
    </div>
  );
}

export function LoadError({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  const requestId = error instanceof ApiError ? error.requestId : null;
  return (
    <div role="alert">
      <Message
        title={texts.errors.loadFailed}
        text={
          <>
            {messageOf(error)}
            {requestId !== null && <Text size="xs">{texts.errors.requestId(requestId)}</Text>}
          </>
        }
        action={
          <Button variant="light" onClick={onRetry}>
            {texts.retry}
          </Button>
        }
      />
    </div>
  );
}

export function PageSkeleton({ rows = 6 }: { rows?: number }) {
  return (
    <div className={classes.skeleton} role="status" aria-label={texts.loading}>
      <Skeleton height={28} width={220} />
      {Array.from({ length: rows }, (_, row) => (
        <Skeleton key={row} height={44} />
      ))}
    </div>
  );
}
