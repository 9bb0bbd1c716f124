import { Component, type ReactNode } from 'react';
import { texts } from '@/shared/texts';
import { Message } from '@/shared/ui/states';
import { Button } from '@mantine/core';

/* A page that throws shows this instead of a white window. Also reached when a new release has replaced a lazy chunk. */
export class CrashGuard extends Component<{ children: ReactNode }, { broken: boolean }> {
  override state = { broken: false };

  static getDerivedStateFromError() {
    return { broken: true };
  }

  override render() {
    if (!this.state.broken) return this.props.children;
    return (
      <Message
        whole
        title={texts.errors.unexpected}
        action={<Button onClick={() => location.reload()}>{texts.errors.reload}</Button>}
      />
    );
  }
}
