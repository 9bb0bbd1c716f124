import { useQuery } from '@tanstack/react-query';
import { api } from '@/shared/api/api';

/** Who is signed in and what they may do. */
export function useMe() {
  const query = useQuery({ queryKey: ['me'], queryFn: ({ signal }) => api.me({ signal }), staleTime: 60_000 });
  const permissions = query.data?.permissions;
  /* Until it is known, nothing is hidden: the server decides anyway, and buttons that appear late make pages jump. */
  const can = (permission: string) => permissions === undefined || permissions.includes(permission);
  return { me: query.data, can };
}
