import { Alert, Button, Code, PasswordInput, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { QRCodeSVG } from 'qrcode.react';
import { type FormEvent, useState } from 'react';
import { fieldState, FormError } from '@/features/auth/FormError';
import { identity } from '@/shared/api/identity';
import { formText } from '@/shared/lib/formText';
import { useMe } from '@/shared/lib/useMe';
import { texts } from '@/shared/texts';
import { CopyButton } from '@/shared/ui/CopyButton';
import classes from '@/shared/ui/form.module.css';
import { notifyDone } from '@/shared/ui/notify';
import { PageSkeleton } from '@/shared/ui/states';

const words = texts.account.second;

/* Two-step sign-in: setting it up in three steps (password, code from the app, recovery codes), or turning it off. */
export function SecondFactor() {
  const { me } = useMe();
  const [codes, setCodes] = useState<string[] | null>(null);
  if (me === undefined) return <PageSkeleton rows={2} />;
  if (codes !== null) return <RecoveryCodes codes={codes} onDone={() => setCodes(null)} />;
  if (me.mfa?.enabled === true) return <TurnOff />;
  return (
    <div className={classes.section}>
      {me.mfa?.required === true && <Alert color="yellow">{words.required}</Alert>}
      <div className={classes.dim}>{words.textOff}</div>
      <SetUp onCodes={setCodes} />
    </div>
  );
}

function SetUp({ onCodes }: { onCodes: (codes: string[]) => void }) {
  const client = useQueryClient();
  const enrol = useMutation({ meta: { ownError: true }, mutationFn: identity.enrol });
  const confirm = useMutation({
    meta: { ownError: true },
    mutationFn: identity.confirmEnrolment,
    onSuccess: async ({ recovery_codes }) => {
      onCodes(recovery_codes);
      await client.invalidateQueries({ queryKey: ['me'] });
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    if (enrol.data === undefined) enrol.mutate(formText(form, 'password'));
    else confirm.mutate(formText(form, 'code').trim());
  };
  if (enrol.data === undefined)
    return (
      <form className={classes.form} onSubmit={submit}>
        <FormError error={enrol.error} />
        <PasswordInput
          name="password"
          label={texts.auth.currentPassword}
          autoComplete="current-password"
          required
          {...fieldState(enrol.error, 'password')}
        />
        <Button type="submit" loading={enrol.isPending}>
          {words.start}
        </Button>
      </form>
    );
  return (
    <form className={classes.form} onSubmit={submit}>
      <div>{words.scan}</div>
      <div className={classes.qr}>
        <QRCodeSVG value={enrol.data.otpauth_url} size={180} title={words.scan} />
      </div>
      <div className={classes.row}>
        <span>
          {words.key}: <Code data-testid="totp-secret">{enrol.data.secret}</Code>
        </span>
        <CopyButton value={enrol.data.secret} />
      </div>
      <FormError error={confirm.error} />
      <TextInput
        name="code"
        label={words.code}
        inputMode="numeric"
        autoComplete="one-time-code"
        required
        autoFocus
        {...fieldState(confirm.error, 'code')}
      />
      <Button type="submit" loading={confirm.isPending}>
        {words.confirm}
      </Button>
    </form>
  );
}

function RecoveryCodes({ codes, onDone }: { codes: string[]; onDone: () => void }) {
  return (
    <div className={`${classes.form} ${classes.section}`}>
      <div className={classes.row}>
        <h2>{words.codesTitle}</h2>
        <CopyButton value={codes.join('\n')} />
      </div>
      <div>{words.codesText}</div>
      <div className={classes.codes} data-testid="recovery-codes">
        {codes.map((code) => (
          <span key={code}>{code}</span>
        ))}
      </div>
      <Button onClick={onDone}>{words.codesDone}</Button>
    </div>
  );
}

function TurnOff() {
  const client = useQueryClient();
  const off = useMutation({
    meta: { ownError: true },
    mutationFn: identity.endSecondFactor,
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ['me'] });
      notifyDone(words.offDone);
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    off.mutate(formText(new FormData(event.currentTarget), 'password'));
  };
  return (
    <form className={`${classes.form} ${classes.section}`} onSubmit={submit}>
      <Alert color="green">{words.textOn}</Alert>
      <FormError error={off.error} />
      <PasswordInput
        name="password"
        label={texts.auth.currentPassword}
        description={words.offText}
        autoComplete="current-password"
        required
        {...fieldState(off.error, 'password')}
      />
      <Button type="submit" color="red" variant="light" loading={off.isPending}>
        {words.off}
      </Button>
    </form>
  );
}
