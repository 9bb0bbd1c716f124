import { Button, Group, Text } from '@mantine/core';
import { texts } from '@/shared/texts';
import { Dialog } from './Dialog';

interface ConfirmProps {
  opened: boolean;
  title: string;
  text: string;
  action: string;
  busy: boolean;
  onConfirm: () => void;
  onClose: () => void;
}

export function Confirm({ opened, title, text, action, busy, onConfirm, onClose }: ConfirmProps) {
  return (
    <Dialog opened={opened} onClose={onClose} title={title}>
      <Text mb="lg">{text}</Text>
      <Group justify="flex-end">
        <Button variant="default" onClick={onClose}>
          {texts.cancel}
        </Button>
        <Button color="red.9" loading={busy} onClick={onConfirm}>
          {action}
        </Button>
      </Group>
    </Dialog>
  );
}
