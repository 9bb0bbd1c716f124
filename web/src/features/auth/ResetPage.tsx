import { Button, PasswordInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { type FormEvent } from 'react';
import { useSearchParams } from 'wouter';
import { identity } from '@/shared/api/identity';
import { formText } from '@/shared/lib/formText';
import { usePageTitle } from '@/shared/lib/usePageTitle';
import { texts } from '@/shared/texts';
import { AuthFrame } from './AuthFrame';
import classes from './AuthFrame.module.css';
import { fieldState, FormError } from './FormError';
import { LinkEnd } from './LinkEnd';

/* Where the link of the reset mail leads: a new password for the account it was made for. */
export default function ResetPage() {
  usePageTitle(texts.auth.resetTitle);
  const [search] = useSearchParams();
  const token = search.get('token') ?? '';
  const reset = useMutation({
    meta: { ownError: true },
    mutationFn: (password: string) => identity.reset(token, password),
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    reset.mutate(formText(new FormData(event.currentTarget), 'password'));
  };
  if (token === '' || reset.isSuccess)
    return <LinkEnd title={texts.auth.resetTitle} done={reset.isSuccess ? texts.auth.resetDone : null} />;
  return (
    <AuthFrame title={texts.auth.resetTitle}>
      <form className={classes.form} onSubmit={submit}>
        <FormError error={reset.error} />
        <PasswordInput
          name="password"
          label={texts.auth.newPassword}
          description={texts.auth.passwordHint}
          autoComplete="new-password"
          required
          autoFocus
          size="md"
          {...fieldState(reset.error, 'password')}
        />
        <Button type="submit" size="md" loading={reset.isPending}>
          {texts.auth.resetDo}
        </Button>
      </form>
    </AuthFrame>
  );
}
