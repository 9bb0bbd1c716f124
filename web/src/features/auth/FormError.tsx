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

/** The server's message for one field of a form. */
export function fieldError(error: unknown, field: string): string | undefined {
  if (!(error instanceof ApiError)) return undefined;
  return error.fields.find((row) => row.field === field || row.field.endsWith('.' + field))?.message;
}
