import { useRoles } from '@/features/organization/useRoles';
import { identity } from '@/shared/api/identity';
import type { Grant } from '@/shared/api/types';
import { useMe } from '@/shared/lib/useMe';
import { useWhole } from '@/shared/lib/useWhole';

export type Principal = Pick<Grant, 'principal_type' | 'principal_id'> & { name: string };

/** What tells one from all others. */
export function valueOf({ principal_type, principal_id }: Pick<Grant, 'principal_type' | 'principal_id'>): string {
  return `${principal_type}:${principal_id}`;
}

/** Whom access can be granted: members, groups and roles, as far as this person may see them. */
export function usePrincipals(): Principal[] {
  const { me, can } = useMe();
  const seesMembers = me !== undefined && can('member.read');
  const members = useWhole('members', identity.members, seesMembers);
  const groups = useWhole('groups', identity.groups, seesMembers);
  const { roles } = useRoles();
  return [
    ...members.map(({ user_id, name }) => ({ principal_type: 'user' as const, principal_id: user_id, name })),
    ...groups.map(({ id, name }) => ({ principal_type: 'group' as const, principal_id: id, name })),
    ...roles.map(({ id, name }) => ({ principal_type: 'role' as const, principal_id: id ?? name, name })),
  ];
}
