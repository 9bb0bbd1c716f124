import { Alert, Anchor, Button, Checkbox, PasswordInput, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { Link, Redirect, useSearchParams } from 'wouter';
import { api, type Credentials } from '@/shared/api/api';
import { session } from '@/shared/api/client';
import { useStore } from '@/shared/lib/store';
import { usePageTitle } from '@/shared/lib/usePageTitle';
import { texts } from '@/shared/texts';
import { AuthFrame } from './AuthFrame';
import classes from './AuthFrame.module.css';
import { destination } from './destination';
import { fieldState, FormError } from './FormError';

export default function SignInPage() {
  usePageTitle(texts.auth.signIn);
  const [search] = useSearchParams();
  const state = useStore(session.state);
  const client = useQueryClient();
  const [withCode, setWithCode] = useState(false);
  const login = useMutation({
    meta: { ownError: true },
    mutationFn: (form: Credentials & { stay: boolean }) => {
      const { stay, ...credentials } = form;
      return api.login(credentials).then((tokens) => ({ tokens, stay }));
    },
    onSuccess: ({ tokens, stay }) => {
      client.clear();
      session.signIn(tokens, stay);
    },
  });
  if (state.signedIn) return <Redirect to={destination(search.get('next'))} replace />;

  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const otp = textOf(form, 'otp').trim();
    login.mutate({
      email: textOf(form, 'email').trim(),
      password: textOf(form, 'password'),
      stay: form.has('stay'),
      ...(otp === '' ? {} : { otp }),
    });
  };

  return (
    <AuthFrame title={texts.auth.signInTitle}>
      <form className={classes.form} onSubmit={submit}>
        {state.expired && !login.isError && <Alert color="yellow">{texts.auth.sessionEnded}</Alert>}
        <FormError error={login.error} />
        <TextInput
          name="email"
          type="email"
          label={texts.auth.email}
          autoComplete="username"
          required
          autoFocus
          size="md"
          {...fieldState(login.error, 'email')}
        />
        <PasswordInput
          name="password"
          label={texts.auth.password}
          autoComplete="current-password"
          required
          size="md"
          {...fieldState(login.error, 'password')}
        />
        {withCode ? (
          <TextInput
            name="otp"
            label={texts.auth.otp}
            autoComplete="one-time-code"
            inputMode="numeric"
            autoFocus
            size="md"
          />
        ) : (
          <Anchor component="button" type="button" size="sm" ta="left" onClick={() => setWithCode(true)}>
            {texts.auth.useOtp}
          </Anchor>
        )}
        <Checkbox name="stay" label={texts.auth.staySignedIn} />
        <Button type="submit" size="md" loading={login.isPending}>
          {texts.auth.signIn}
        </Button>
      </form>
      <p className={classes.switch}>
        {texts.auth.noAccount} <Link href="/sign-up">{texts.auth.signUp}</Link>
      </p>
    </AuthFrame>
  );
}

function textOf(form: FormData, name: string): string {
  const value = form.get(name);
  return typeof value === 'string' ? value : '';
}
