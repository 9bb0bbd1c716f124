import { Button, Checkbox, Progress, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent } from 'react';
import { fieldState, FormError } from '@/features/auth/FormError';
import { identity } from '@/shared/api/identity';
import { formatBytes, formatCount } from '@/shared/lib/format';
import { formText } from '@/shared/lib/formText';
import { texts } from '@/shared/texts';
import classes from '@/shared/ui/form.module.css';
import { notifyDone } from '@/shared/ui/notify';
import { LoadError, PageSkeleton } from '@/shared/ui/states';

const words = texts.organization.settings;

export function Settings() {
  const client = useQueryClient();
  const query = useQuery({ queryKey: ['organization'], queryFn: ({ signal }) => identity.organization({ signal }) });
  const save = useMutation({
    meta: { ownError: true },
    mutationFn: identity.changeOrganization,
    onSuccess: async () => {
      await Promise.all(['organization', 'me'].map((key) => client.invalidateQueries({ queryKey: [key] })));
      notifyDone(words.saved);
    },
  });
  if (query.isPending) return <PageSkeleton rows={3} />;
  if (query.isError) return <LoadError error={query.error} onRetry={() => void query.refetch()} />;
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    save.mutate({ name: formText(form, 'name').trim(), require_mfa: form.has('require_mfa') });
  };
  return (
    <>
      <form className={`${classes.form} ${classes.section}`} onSubmit={submit}>
        <FormError error={save.error} />
        <TextInput
          name="name"
          label={words.name}
          defaultValue={query.data.name}
          required
          maxLength={200}
          {...fieldState(save.error, 'name')}
        />
        <Checkbox
          name="require_mfa"
          label={words.requireSecond}
          description={words.requireSecondHint}
          defaultChecked={query.data.require_mfa === true}
        />
        <Button type="submit" loading={save.isPending}>
          {texts.save}
        </Button>
      </form>
      <UsageBars plan={query.data.plan} />
    </>
  );
}

function UsageBars({ plan }: { plan: string }) {
  const { data } = useQuery({ queryKey: ['usage'], queryFn: ({ signal }) => identity.usage({ signal }) });
  if (data === undefined) return null;
  const { documents, bytes, limits } = data;
  return (
    <section className={`${classes.form} ${classes.section}`} aria-label={words.usage}>
      <h2>{words.usage}</h2>
      <div className={classes.dim}>{words.plan(plan)}</div>
      <Bar
        text={words.documents(formatCount(documents), limits.documents === null ? null : formatCount(limits.documents))}
        share={limits.documents === null ? null : documents / limits.documents}
      />
      <Bar
        text={words.storage(formatBytes(bytes), limits.bytes === null ? null : formatBytes(limits.bytes))}
        share={limits.bytes === null ? null : bytes / limits.bytes}
      />
    </section>
  );
}

function Bar({ text, share }: { text: string; share: number | null }) {
  return (
    <div>
      <div>{text}</div>
      {share !== null && (
        <Progress value={Math.min(100, share * 100)} color={share > 0.9 ? 'red' : 'brand'} aria-label={text} />
      )}
    </div>
  );
}
