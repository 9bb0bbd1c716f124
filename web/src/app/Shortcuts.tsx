import { Kbd, Table } from '@mantine/core';
import { useEffect } from 'react';
import { useLocation } from 'wouter';
import { searchBoxId } from '@/features/search/SearchBox';
import { chooseFiles } from '@/features/upload/uploads';
import { texts } from '@/shared/texts';
import { Dialog } from '@/shared/ui/Dialog';

interface ShortcutsProps {
  opened: boolean;
  onOpen: () => void;
  onClose: () => void;
}

export function Shortcuts({ opened, onOpen, onClose }: ShortcutsProps) {
  const [, navigate] = useLocation();
  useEffect(() => {
    const actions: Record<string, () => void> = {
      '/': () => document.getElementById(searchBoxId)?.focus(),
      u: () => chooseFiles(),
      d: () => navigate('/'),
      '?': onOpen,
    };
    const listen = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event.target)) return;
      const action = actions[event.key];
      if (action === undefined || document.querySelector('[data-modal-content]') !== null) return;
      event.preventDefault();
      action();
    };
    document.addEventListener('keydown', listen);
    return () => document.removeEventListener('keydown', listen);
  }, [navigate, onOpen]);

  return (
    <Dialog opened={opened} onClose={onClose} title={texts.shell.shortcuts.title}>
      <Table>
        <Table.Tbody>
          {texts.shell.shortcuts.rows.map(([key, meaning]) => (
            <Table.Tr key={key}>
              <Table.Td>
                <Kbd>{key}</Kbd>
              </Table.Td>
              <Table.Td>{meaning}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Dialog>
  );
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}
