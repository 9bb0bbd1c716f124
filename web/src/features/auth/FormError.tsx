import { Alert, Text } from '@mantine/core';
import { ApiError } from '@/shared/api/problem';
import { texts } from '@/shared/texts';
import { messageOf } from '@/shared/ui/notify';

export function FormError({ error }: { error: unknown }) {
  if (error === null || error === undefined) return null;
  const requestId = error instanceof ApiError ? error.requestId : null;
  return (
    <Alert color="red" role="alert" title={messageOf(error)}>
      {requestId !== null && <Text size="xs">{texts.errors.requestId(requestId)}</Text>}
    </Alert>
  );
}

/** The server's message for one field of a form, as properties of its input. */
export function fieldState(error: unknown, field: string): { error?: string; 'aria-invalid'?: true } {
  if (!(error instanceof ApiError)) return {};
  const row = error.fields.find((entry) => entry.field === field || entry.field.endsWith('.' + field));
  return row === undefined ? {} : { error: row.message, 'aria-invalid': true };
}
