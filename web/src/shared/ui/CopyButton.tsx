import { ActionIcon } from '@mantine/core';
import Check from 'lucide-react/icons/check';
import Copy from 'lucide-react/icons/copy';
import { useEffect, useState } from 'react';
import { texts } from '@/shared/texts';

export function CopyButton({ value, label = texts.copy }: { value: string; label?: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 2000);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <ActionIcon
      variant="subtle"
      color={copied ? 'green' : 'gray'}
      aria-label={copied ? texts.copied : label}
      onClick={() => setCopied(copyText(value))}
    >
      {copied ? <Check size={16} aria-hidden /> : <Copy size={16} aria-hidden />}
    </ActionIcon>
  );
}

/* navigator.clipboard exists only on https and localhost; the older way works everywhere. */
function copyText(value: string): boolean {
  const area = document.createElement('textarea');
  area.value = value;
  area.readOnly = true;
  area.style.position = 'fixed';
  area.style.opacity = '0';
  (document.querySelector('[data-modal-content]') ?? document.body).append(
    area,
  ); /* a dialog keeps the focus to itself */
  const focused = document.activeElement;
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return done;
}
