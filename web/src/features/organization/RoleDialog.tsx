import { Button, Checkbox, Group, Input, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { fieldState, FormError } from '@/features/auth/FormError';
import { identity, type RoleGiven } from '@/shared/api/identity';
import type { Permission, Role } from '@/shared/api/types';
import { formText } from '@/shared/lib/formText';
import { useMe } from '@/shared/lib/useMe';
import { texts } from '@/shared/texts';
import { Dialog } from '@/shared/ui/Dialog';
import { notifyDone } from '@/shared/ui/notify';
import own from './Roles.module.css';
import { useRoles } from './useRoles';

const words = texts.organization.roles;

/* One of the organization's own roles: a new one (null), or one that is changed. */
export function RoleDialog({ role, onClose }: { role: Role | null; onClose: () => void }) {
  const client = useQueryClient();
  const { permissions } = useRoles();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set(role?.permissions));
  const save = useMutation({
    meta: { ownError: true },
    mutationFn: (given: RoleGiven) =>
      role?.id == null ? identity.createRole(given) : identity.changeRole(role.id, changesOf(role, given)),
    onSuccess: async ({ name }) => {
      await Promise.all(['roles', 'members', 'me'].map((key) => client.invalidateQueries({ queryKey: [key] })));
      notifyDone(words.saved(name));
      onClose();
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    save.mutate({
      name: formText(form, 'name').trim(),
      description: formText(form, 'description').trim(),
      permissions: permissions.map(({ name }) => name).filter((name) => chosen.has(name)),
    });
  };
  const toggle = (name: string) => {
    const next = new Set(chosen);
    if (!next.delete(name)) next.add(name);
    setChosen(next);
  };
  const refused = fieldState(save.error, 'permissions').error;
  return (
    <Dialog onClose={onClose} title={role === null ? words.create : words.editFor(role.name)} size="xl">
      <form className={own.form} onSubmit={submit}>
        <TextInput
          name="name"
          label={words.name}
          defaultValue={role?.name}
          required
          maxLength={100}
          data-autofocus
          {...fieldState(save.error, 'name')}
        />
        <TextInput
          name="description"
          label={words.description}
          defaultValue={role?.description ?? ''}
          maxLength={500}
          {...fieldState(save.error, 'description')}
        />
        {refused !== undefined && <Input.Error>{refused}</Input.Error>}
        <div className={own.areas}>
          {areasOf(permissions).map(([area, rows]) => (
            <Area key={area} area={area} rows={rows} chosen={chosen} onToggle={toggle} />
          ))}
        </div>
        <div className={own.foot}>
          <FormError error={save.error} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {texts.cancel}
            </Button>
            <Button type="submit" loading={save.isPending}>
              {texts.save}
            </Button>
          </Group>
        </div>
      </form>
    </Dialog>
  );
}

interface AreaProps {
  area: string;
  rows: Permission[];
  chosen: ReadonlySet<string>;
  onToggle: (name: string) => void;
}

/* The permissions of one area. Nobody gives what they do not have; what the role has already may be taken away. */
function Area({ area, rows, chosen, onToggle }: AreaProps) {
  const { can } = useMe();
  return (
    <fieldset className={own.area}>
      <legend>{words.areas[area] ?? area}</legend>
      {rows.map(({ name, description }) => (
        <Checkbox
          key={name}
          size="xs"
          label={description}
          description={name}
          checked={chosen.has(name)}
          disabled={!can(name) && !chosen.has(name)}
          onChange={() => onToggle(name)}
        />
      ))}
    </fieldset>
  );
}

/** By the part before the dot, in the order of the server. */
function areasOf(permissions: Permission[]): [string, Permission[]][] {
  const areas = new Map<string, Permission[]>();
  for (const row of permissions) {
    const area = row.name.split('.', 1)[0] ?? row.name;
    areas.set(area, [...(areas.get(area) ?? []), row]);
  }
  return [...areas];
}

/* Permissions only when they change: a role that has more than one may give oneself can still get another name. */
function changesOf(role: Role, { permissions, ...rest }: RoleGiven): Partial<RoleGiven> {
  const before = new Set(role.permissions);
  const same = permissions.length === before.size && permissions.every((name) => before.has(name));
  return same ? rest : { ...rest, permissions };
}
