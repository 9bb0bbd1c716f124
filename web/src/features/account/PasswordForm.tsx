import { Button, PasswordInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { type FormEvent, useRef } from 'react';
import { fieldState, FormError } from '@/features/auth/FormError';
import { identity } from '@/shared/api/identity';
import { formText } from '@/shared/lib/formText';
import { texts } from '@/shared/texts';
import classes from '@/shared/ui/form.module.css';
import { notifyDone } from '@/shared/ui/notify';

export function PasswordForm() {
  const form = useRef<HTMLFormElement>(null);
  const change = useMutation({
    meta: { ownError: true },
    mutationFn: ({ before, after }: { before: string; after: string }) => identity.changePassword(before, after),
    onSuccess: () => {
      form.current?.reset();
      notifyDone(texts.account.password.changed);
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    change.mutate({ before: formText(data, 'current_password'), after: formText(data, 'new_password') });
  };
  return (
    <form ref={form} className={`${classes.form} ${classes.section}`} onSubmit={submit}>
      <div className={classes.dim}>{texts.account.password.text}</div>
      <FormError error={change.error} />
      <PasswordInput
        name="current_password"
        label={texts.auth.currentPassword}
        autoComplete="current-password"
        required
        {...fieldState(change.error, 'current_password')}
      />
      <PasswordInput
        name="new_password"
        label={texts.auth.newPassword}
        description={texts.auth.passwordHint}
        autoComplete="new-password"
        required
        {...fieldState(change.error, 'new_password')}
      />
      <Button type="submit" loading={change.isPending}>
        {texts.account.password.change}
      </Button>
    </form>
  );
}
