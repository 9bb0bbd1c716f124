import { Button, Group, NativeSelect, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent } from 'react';
import { fieldState, FormError } from '@/features/auth/FormError';
import { identity } from '@/shared/api/identity';
import { formText } from '@/shared/lib/formText';
import { texts } from '@/shared/texts';
import { Dialog } from '@/shared/ui/Dialog';
import classes from '@/shared/ui/form.module.css';
import { notifyDone } from '@/shared/ui/notify';
import { roleFields, roleValue, useRoles } from './useRoles';

const words = texts.organization.members;

export function Invite({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const { roles } = useRoles();
  const invite = useMutation({
    meta: { ownError: true },
    mutationFn: identity.invite,
    onSuccess: async ({ email }) => {
      await client.invalidateQueries({ queryKey: ['invitations'] });
      notifyDone(words.sent(email));
      onClose();
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    invite.mutate({ email: formText(form, 'email').trim(), ...roleFields(formText(form, 'role'), roles) });
  };
  return (
    <Dialog onClose={onClose} title={words.inviteTitle}>
      <form className={classes.form} onSubmit={submit}>
        <FormError error={invite.error} />
        <TextInput
          name="email"
          type="email"
          label={texts.auth.email}
          required
          data-autofocus
          {...fieldState(invite.error, 'email')}
        />
        <NativeSelect
          name="role"
          label={words.role}
          defaultValue="Viewer"
          key={roles.length}
          data={roles.map((role) => ({ value: roleValue(role), label: role.name }))}
          {...fieldState(invite.error, 'role')}
        />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {texts.cancel}
          </Button>
          <Button type="submit" loading={invite.isPending}>
            {words.send}
          </Button>
        </Group>
      </form>
    </Dialog>
  );
}
