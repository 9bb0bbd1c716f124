import { Badge } from '@mantine/core';
import type { ReactNode } from 'react';
import classes from './Pill.module.css';

export type Tone = 'gray' | 'blue' | 'green' | 'red';

interface PillProps {
  tone: Tone;
  icon?: ReactNode;
  status?: string;
  children: ReactNode;
}

/* A word with a colour. The library's badges are below the contrast that small text needs. */
export function Pill({ tone, icon, status, children }: PillProps) {
  return (
    <Badge
      className={`${classes.badge} ${classes[tone]}`}
      variant="transparent"
      leftSection={icon}
      data-status={status}
    >
      {children}
    </Badge>
  );
}
