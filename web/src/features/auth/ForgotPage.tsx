import { Alert, Button, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { type FormEvent } from 'react';
import { Link } from 'wouter';
import { identity } from '@/shared/api/identity';
import { formText } from '@/shared/lib/formText';
import { usePageTitle } from '@/shared/lib/usePageTitle';
import { texts } from '@/shared/texts';
import { AuthFrame } from './AuthFrame';
import classes from './AuthFrame.module.css';
import { fieldState, FormError } from './FormError';

/* Asks for the link with which a forgotten password is replaced. The answer never tells whether there is an account. */
export default function ForgotPage() {
  usePageTitle(texts.auth.forgotTitle);
  const send = useMutation({
    meta: { ownError: true },
    mutationFn: (email: string) => identity.forgot(email).then(() => email),
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    send.mutate(formText(new FormData(event.currentTarget), 'email').trim());
  };
  return (
    <AuthFrame title={texts.auth.forgotTitle}>
      {send.isSuccess ? (
        <Alert role="status">{texts.auth.forgotSent(send.data)}</Alert>
      ) : (
        <form className={classes.form} onSubmit={submit}>
          <p>{texts.auth.forgotText}</p>
          <FormError error={send.error} />
          <TextInput
            name="email"
            type="email"
            label={texts.auth.email}
            autoComplete="username"
            required
            autoFocus
            size="md"
            {...fieldState(send.error, 'email')}
          />
          <Button type="submit" size="md" loading={send.isPending}>
            {texts.auth.forgotSend}
          </Button>
        </form>
      )}
      <p className={classes.switch}>
        <Link href="/sign-in">{texts.auth.backToSignIn}</Link>
      </p>
    </AuthFrame>
  );
}
