/* Short messages at the edge of the window. */
import { Button, Group, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { ApiError } from '@/shared/api/problem';
import { texts } from '@/shared/texts';

export function messageOf(error: unknown): string {
  return error instanceof Error && error.message !== '' ? error.message : texts.errors.unexpected;
}

export function notifyError(error: unknown): void {
  const requestId = error instanceof ApiError ? error.requestId : null;
  notifications.show({
    color: 'red',
    title: texts.errors.title,
    message: (
      <>
        <Text size="sm">{messageOf(error)}</Text>
        {requestId !== null && (
          <Text size="xs" c="dimmed">
            {texts.errors.requestId(requestId)}
          </Text>
        )}
      </>
    ),
    autoClose: 10_000,
    withBorder: true,
    role: 'alert',
    closeButtonProps: { 'aria-label': texts.close },
  });
}

export function notifyDone(message: string): void {
  notifications.show({ message, withBorder: true, role: 'status', closeButtonProps: { 'aria-label': texts.close } });
}

/** Says what was done and offers to take it back. */
export function notifyUndo(message: string, undo: () => void): void {
  const id = notifications.show({
    message: (
      <Group justify="space-between" wrap="nowrap">
        <Text size="sm">{message}</Text>
        <Button
          size="compact-sm"
          variant="light"
          onClick={() => {
            notifications.hide(id);
            undo();
          }}
        >
          {texts.undo}
        </Button>
      </Group>
    ),
    autoClose: 10_000,
    withBorder: true,
    role: 'status',
    closeButtonProps: { 'aria-label': texts.close },
  });
}
