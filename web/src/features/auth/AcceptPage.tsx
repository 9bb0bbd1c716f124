import { Button, PasswordInput, TextInput } from '@mantine/core';
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

/* Where the link of an invitation leads. Somebody new chooses name and password; who has an account gives its password. */
export default function AcceptPage() {
  usePageTitle(texts.auth.acceptTitle);
  const [search] = useSearchParams();
  const token = search.get('token') ?? '';
  const accept = useMutation({ meta: { ownError: true }, mutationFn: identity.accept });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const name = formText(form, 'name').trim();
    accept.mutate({ token, password: formText(form, 'password'), ...(name === '' ? {} : { name }) });
  };
  if (token === '' || accept.isSuccess)
    return <LinkEnd title={texts.auth.acceptTitle} done={accept.isSuccess ? texts.auth.accepted : null} />;
  return (
    <AuthFrame title={texts.auth.acceptTitle}>
      <form className={classes.form} onSubmit={submit}>
        <p>{texts.auth.acceptText}</p>
        <FormError error={accept.error} />
        <TextInput
          name="name"
          label={texts.auth.acceptName}
          autoComplete="name"
          autoFocus
          size="md"
          {...fieldState(accept.error, 'name')}
        />
        <PasswordInput
          name="password"
          label={texts.auth.password}
          description={texts.auth.passwordHint}
          autoComplete="new-password"
          required
          size="md"
          {...fieldState(accept.error, 'password')}
        />
        <Button type="submit" size="md" loading={accept.isPending}>
          {texts.auth.acceptDo}
        </Button>
      </form>
    </AuthFrame>
  );
}
