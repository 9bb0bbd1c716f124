import { useQuery } from '@tanstack/react-query';
import { identity } from '@/shared/api/identity';

/** Where else one can sign in, and where this person can. Nothing to show where neither is. */
export function useProviders() {
  const offered = useQuery({
    queryKey: ['providers'],
    queryFn: ({ signal }) => identity.providers({ signal }),
    staleTime: Infinity,
  });
  const linked = useQuery({ queryKey: ['identities'], queryFn: ({ signal }) => identity.identities({ signal }) });
  const providers = offered.data?.items ?? [];
  const identities = linked.data?.items ?? [];
  return {
    providers,
    identities,
    isPending: offered.isPending || linked.isPending,
    error: offered.error ?? linked.error,
    refetch: () => Promise.all([offered.refetch(), linked.refetch()]),
    any: providers.length > 0 || identities.length > 0,
    labelOf: (name: string) => providers.find((provider) => provider.name === name)?.label ?? name,
  };
}
