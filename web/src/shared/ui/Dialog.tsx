import { Modal, type MantineSize } from '@mantine/core';
import type { ReactNode } from 'react';
import { texts } from '@/shared/texts';

interface DialogProps {
  title: string;
  onClose: () => void;
  opened?: boolean;
  size?: MantineSize;
  closeOnClickOutside?: boolean;
  children: ReactNode;
}

/* A dialog in the middle of the window. lockScroll would put a <style> element into the page, which the server's policy
 * forbids; base.css does it instead. */
export function Dialog({ opened = true, size = 'md', closeOnClickOutside = true, ...rest }: DialogProps) {
  return (
    <Modal
      opened={opened}
      size={size}
      closeOnClickOutside={closeOnClickOutside}
      centered
      lockScroll={false}
      closeButtonProps={{ 'aria-label': texts.close }}
      attributes={{ header: { role: 'presentation' } }} /* it is a <header>: a second banner of the page */
      {...rest}
    />
  );
}
