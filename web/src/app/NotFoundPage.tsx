import { Button } from '@mantine/core';
import { Link } from 'wouter';
import { texts } from '@/shared/texts';
import { usePageTitle } from '@/shared/lib/usePageTitle';
import { Message } from '@/shared/ui/states';

export default function NotFoundPage() {
  usePageTitle(texts.notFound.title);
  return (
    <Message
      whole
      title={texts.notFound.title}
      text={texts.notFound.text}
      action={
        <Button component={Link} href="/">
          {texts.notFound.home}
        </Button>
      }
    />
  );
}
