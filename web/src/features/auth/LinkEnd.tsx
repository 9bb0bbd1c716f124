import { Alert, Button } from '@mantine/core';
import { Link } from 'wouter';
import { texts } from '@/shared/texts';
import { AuthFrame } from './AuthFrame';

/* What the page of a link out of a mail shows without its form: that it is done, or (null) that the link is incomplete. */
export function LinkEnd({ title, done }: { title: string; done: string | null }) {
  return (
    <AuthFrame title={title}>
      <Alert mb="md" role="status" color={done === null ? 'red' : 'green'}>
        {done ?? texts.auth.linkMissing}
      </Alert>
      <Button component={Link} href="/sign-in" fullWidth>
        {texts.auth.signIn}
      </Button>
    </AuthFrame>
  );
}
