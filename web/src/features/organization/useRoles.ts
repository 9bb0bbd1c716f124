import { useQuery } from '@tanstack/react-query';
import { identity } from '@/shared/api/identity';
import type { Role } from '@/shared/api/types';

/** The roles of this organization, built in ones first, and all that a role may allow. */
export function useRoles() {
  const query = useQuery({
    queryKey: ['roles'],
    queryFn: ({ signal }) => identity.roles({ signal }),
    staleTime: 60_000,
  });
  return { ...query, roles: query.data?.items ?? [], permissions: query.data?.permissions ?? [] };
}

/** The value of a choice of roles: a built-in one by name, one of the organization's own by its id. */
export function roleValue(role: Pick<Role, 'id' | 'name'>): string {
  return role.id ?? role.name;
}

export function roleFields(value: string, roles: Role[]): { role?: string; role_id?: string } {
  return roles.some((role) => role.id === value) ? { role_id: value } : { role: value };
}
