import { ActionIcon, Button, Checkbox, Group, NativeSelect } from '@mantine/core';
import X from 'lucide-react/icons/x';
import { type FormEvent, useState } from 'react';
import { FormError } from '@/features/auth/FormError';
import type { AccessGiven } from '@/shared/api/api';
import type { Access, Grant, GrantLevel } from '@/shared/api/types';
import { texts } from '@/shared/texts';
import form from '@/shared/ui/form.module.css';
import classes from './Access.module.css';
import { AddGrant, type Draft } from './AddGrant';
import { usePrincipals, valueOf } from './principals';

const words = texts.access;
const levels = Object.entries(words.levels).map(([value, label]) => ({ value, label }));

interface AccessFormProps {
  saved: Access;
  error: unknown;
  busy: boolean;
  onSave: (given: AccessGiven) => void;
  onClose: () => void;
}

export function AccessForm({ saved, error, busy, onSave, onClose }: AccessFormProps) {
  const [restricted, setRestricted] = useState(saved.restricted);
  const [grants, setGrants] = useState(saved.grants);
  const [draft, setDraft] = useState<Draft>({ chosen: '', level: 'read' });
  const named = new Set(grants.map(valueOf));
  const principals = usePrincipals().filter((principal) => !named.has(valueOf(principal)));
  const chosen = principals.find((principal) => valueOf(principal) === draft.chosen);
  const withDraft = chosen === undefined ? grants : [...grants, { ...chosen, level: draft.level }];
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onSave({
      restricted,
      /* whoever is chosen is meant, with Add pressed or without */
      grants: withDraft.map(({ principal_type, principal_id, level }) => ({ principal_type, principal_id, level })),
    });
  };
  const setLevel = (grant: Grant, level: GrantLevel) =>
    setGrants(grants.map((row) => (row === grant ? { ...row, level } : row)));
  return (
    <div className={classes.body}>
      <Checkbox
        label={words.restricted}
        description={words.restrictedHint}
        checked={restricted}
        onChange={(event) => setRestricted(event.currentTarget.checked)}
        autoFocus
        data-autofocus
      />
      <p className={form.dim} role="status">
        {summaryOf(saved, restricted)}
      </p>
      <section className={classes.part} aria-label={words.grants}>
        <h3>{words.grants}</h3>
        {grants.length === 0 && <div className={form.dim}>{words.nobody}</div>}
        <ul className={classes.list}>
          {grants.map((grant) => (
            <li key={valueOf(grant)} className={classes.row}>
              <Who grant={grant} />
              <NativeSelect
                size="xs"
                aria-label={words.levelOf(nameOf(grant))}
                value={grant.level}
                onChange={(event) => setLevel(grant, event.currentTarget.value as GrantLevel)}
                data={levels}
              />
              <ActionIcon
                variant="subtle"
                color="red"
                aria-label={words.removeFor(nameOf(grant))}
                onClick={() => setGrants(grants.filter((row) => row !== grant))}
              >
                <X size={17} aria-hidden />
              </ActionIcon>
            </li>
          ))}
        </ul>
        <AddGrant
          principals={principals}
          draft={draft}
          onDraft={setDraft}
          onAdd={
            chosen === undefined
              ? null
              : () => {
                  setGrants(withDraft);
                  setDraft({ chosen: '', level: 'read' });
                }
          }
        />
      </section>
      {!restricted && saved.inherited.length > 0 && <Inherited grants={saved.inherited} />}
      <FormError error={error} />
      <form onSubmit={submit}>
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {texts.cancel}
          </Button>
          <Button type="submit" loading={busy}>
            {texts.save}
          </Button>
        </Group>
      </form>
    </div>
  );
}

/* What the choice means. What lies above a restriction is not told, so lifting one can only be said to open it to that. */
function summaryOf(saved: Access, restricted: boolean): string {
  if (restricted) return words.summary.restricted;
  if (saved.restricted) return words.summary.lifted;
  return saved.everyone ? words.summary.everyone : words.summary.inherited;
}

function nameOf(grant: Grant): string {
  return grant.name ?? texts.none;
}

function Who({ grant }: { grant: Grant }) {
  return (
    <div className={classes.who}>
      <div className={form.strong}>{nameOf(grant)}</div>
      <div className={form.dim}>{words.kinds[grant.principal_type]}</div>
    </div>
  );
}

/* What comes down from the folders above; it is changed there. */
function Inherited({ grants }: { grants: Grant[] }) {
  return (
    <section className={classes.part} aria-label={words.inherited}>
      <h3>{words.inherited}</h3>
      <ul className={classes.list}>
        {grants.map((grant, index) => (
          <li key={index} className={classes.row}>
            <Who grant={grant} />
            <div className={classes.from}>
              {words.levels[grant.level]}
              <div className={form.dim}>{grant.folder == null ? words.fromAbove : words.from(grant.folder.name)}</div>
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}
