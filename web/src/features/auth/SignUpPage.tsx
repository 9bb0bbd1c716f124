import { Alert, Button, PasswordInput, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { Link, Redirect } from 'wouter';
import { api, type Registration } from '@/shared/api/api';
import { session } from '@/shared/api/client';
import { ApiError } from '@/shared/api/problem';
import { formText } from '@/shared/lib/formText';
import { useStore } from '@/shared/lib/store';
import { usePageTitle } from '@/shared/lib/usePageTitle';
import { texts } from '@/shared/texts';
import { AuthFrame } from './AuthFrame';
import classes from './AuthFrame.module.css';
import { fieldState, FormError } from './FormError';

/* Registers and signs in at once. Where the address has to be confirmed first, the sign-in is refused and the page says
 * that there is mail; a known address looks exactly the same from here, as it should. */
async function registerAndSignIn(form: Registration) {
  await api.register(form);
  try {
    return await api.login({ email: form.email, password: form.password });
  } catch (error) {
    if (error instanceof ApiError && (error.status === 401 || error.status === 403)) return null;
    throw error;
  }
}

export default function SignUpPage() {
  usePageTitle(texts.auth.signUp);
  const { signedIn } = useStore(session.state);
  const client = useQueryClient();
  const [sentTo, setSentTo] = useState<string | null>(null);
  const register = useMutation({
    meta: { ownError: true },
    mutationFn: registerAndSignIn,
    onSuccess: (tokens, form) => {
      if (tokens === null) {
        setSentTo(form.email);
        return;
      }
      client.clear();
      session.signIn(tokens, /* staySignedIn= */ false);
    },
  });
  if (signedIn) return <Redirect to="/" replace />;
  if (sentTo !== null)
    return (
      <AuthFrame title={texts.auth.checkMail}>
        <Alert mb="md">{texts.auth.verificationSent(sentTo)}</Alert>
        <p>{texts.auth.signInAfterVerify}</p>
        <Button component={Link} href="/sign-in" fullWidth>
          {texts.auth.signIn}
        </Button>
      </AuthFrame>
    );

  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    register.mutate({
      name: formText(form, 'name').trim(),
      organization: formText(form, 'organization').trim(),
      email: formText(form, 'email').trim(),
      password: formText(form, 'password'),
    });
  };
  const error = register.error;

  return (
    <AuthFrame title={texts.auth.signUpTitle}>
      <form className={classes.form} onSubmit={submit}>
        <FormError error={error} />
        <TextInput
          name="name"
          label={texts.auth.name}
          autoComplete="name"
          required
          autoFocus
          size="md"
          {...fieldState(error, 'name')}
        />
        <TextInput
          name="organization"
          label={texts.auth.organization}
          description={texts.auth.organizationHint}
          autoComplete="organization"
          required
          size="md"
          {...fieldState(error, 'organization')}
        />
        <TextInput
          name="email"
          type="email"
          label={texts.auth.email}
          autoComplete="username"
          required
          size="md"
          {...fieldState(error, 'email')}
        />
        <PasswordInput
          name="password"
          label={texts.auth.password}
          description={texts.auth.passwordHint}
          autoComplete="new-password"
          required
          size="md"
          {...fieldState(error, 'password')}
        />
        <Button type="submit" size="md" loading={register.isPending}>
          {texts.auth.signUp}
        </Button>
      </form>
      <p className={classes.switch}>
        {texts.auth.haveAccount} <Link href="/sign-in">{texts.auth.signIn}</Link>
      </p>
    </AuthFrame>
  );
}
