import { Alert, Anchor, Button, Checkbox, Divider, PasswordInput, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useEffect, useState } from 'react';
import { Link, Redirect, useSearchParams } from 'wouter';
import { api, type Credentials } from '@/shared/api/api';
import { session } from '@/shared/api/client';
import { identity } from '@/shared/api/identity';
import { ApiError } from '@/shared/api/problem';
import { formText } from '@/shared/lib/formText';
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
  const [cameSignedIn] = useState(state.signedIn);
  const client = useQueryClient();
  const [codeWanted, setCodeWanted] = useState(false);
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
  const elsewhere = useSignInElsewhere();
  const codeNeeded = login.variables?.otp === undefined && asksForCode(login.error);
  const withCode = codeWanted || asksForCode(login.error);
  if (state.signedIn)
    return <Redirect to={cameSignedIn ? linkFailed(search) : destination(search.get('next'))} replace />;

  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const otp = formText(form, 'otp').trim();
    login.mutate({
      email: formText(form, 'email').trim(),
      password: formText(form, 'password'),
      stay: form.has('stay'),
      ...(otp === '' ? {} : { otp }),
    });
  };

  return (
    <AuthFrame title={texts.auth.signInTitle}>
      <form className={classes.form} onSubmit={submit}>
        {state.expired && !login.isError && <Alert color="yellow">{texts.auth.sessionEnded}</Alert>}
        {(search.has('error') || elsewhere.isError) && !login.isError && (
          <Alert color="red" role="alert">
            {texts.auth.signInFailed}
          </Alert>
        )}
        {codeNeeded ? <Alert role="status">{texts.auth.otpNeeded}</Alert> : <FormError error={login.error} />}
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
            description={texts.auth.otpHint}
            autoComplete="one-time-code"
            autoFocus
            size="md"
            {...(codeNeeded ? {} : fieldState(login.error, 'otp'))}
          />
        ) : (
          <Anchor component="button" type="button" size="sm" ta="left" onClick={() => setCodeWanted(true)}>
            {texts.auth.useOtp}
          </Anchor>
        )}
        <Checkbox name="stay" label={texts.auth.staySignedIn} />
        <Button type="submit" size="md" loading={login.isPending}>
          {texts.auth.signIn}
        </Button>
      </form>
      <Elsewhere />
      <p className={classes.switch}>
        <Link href="/forgot">{texts.auth.forgot}</Link>
      </p>
      <p className={classes.switch}>
        {texts.auth.noAccount} <Link href="/sign-up">{texts.auth.signUp}</Link>
      </p>
    </AuthFrame>
  );
}

/* Who is signed in already and comes with an error wanted to link a provider: the server sends them here, too. */
function linkFailed(search: URLSearchParams): string {
  const error = search.get('error');
  return error === null ? destination(search.get('next')) : '/account/providers?error=' + encodeURIComponent(error);
}

/* The password was right and a code is missing: the server says so in the field otp. */
function asksForCode(error: unknown): boolean {
  return error instanceof ApiError && error.status === 401 && error.fields.some((row) => row.field === 'otp');
}

/* Back from another provider: the code behind the address's # is exchanged for tokens, once. */
function useSignInElsewhere() {
  const client = useQueryClient();
  const { mutate, ...exchange } = useMutation({
    meta: { ownError: true },
    mutationFn: identity.exchange,
    onSuccess: (tokens) => {
      client.clear();
      session.signIn(tokens, /* staySignedIn= */ false);
    },
  });
  useEffect(() => {
    const code = new URLSearchParams(location.hash.slice(1)).get('code');
    if (code === null) return;
    history.replaceState(null, '', location.pathname + location.search);
    mutate(code);
  }, [mutate]);
  return exchange;
}

function Elsewhere() {
  const { data } = useQuery({
    queryKey: ['providers'],
    queryFn: ({ signal }) => identity.providers({ signal }),
    staleTime: Infinity,
    retry: false,
  });
  const providers = data?.items ?? [];
  if (providers.length === 0) return null;
  return (
    <div className={classes.elsewhere}>
      <Divider label={texts.auth.or} />
      {providers.map(({ name, label, start }) => (
        <Button key={name} component="a" href={start} variant="default" size="md">
          {texts.auth.signInWith(label)}
        </Button>
      ))}
    </div>
  );
}
