import { Button, Group, Text } from '@mantine/core';
import { apiBase } from '@/shared/api/client';
import { texts } from '@/shared/texts';
import { CopyButton } from '@/shared/ui/CopyButton';
import classes from './KeysPage.module.css';

/* The secret of a key, which is shown once, and a command that uses it. */
export function Secret({ secret, onClose }: { secret: string; onClose: () => void }) {
  const example = `curl -H 'X-API-Key: ${secret}' \\\n  '${location.origin}${apiBase}/search?q=contract'`;
  return (
    <div className={classes.form}>
      <Text>{texts.keys.onceText}</Text>
      <div className={classes.secret}>
        <code data-testid="api-key">{secret}</code>
        <CopyButton value={secret} />
      </div>
      <Text size="sm" fw={550}>
        {texts.keys.tryIt}
      </Text>
      <div className={classes.secret}>
        <code>{example}</code>
        <CopyButton value={example} />
      </div>
      <Group justify="flex-end">
        <Button onClick={onClose}>{texts.keys.done}</Button>
      </Group>
    </div>
  );
}
