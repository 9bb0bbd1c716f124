import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, type AccessKind, type AccessGiven } from '@/shared/api/api';
import { ApiError } from '@/shared/api/problem';
import { texts } from '@/shared/texts';
import { Dialog } from '@/shared/ui/Dialog';
import { notifyDone } from '@/shared/ui/notify';
import { LoadError, PageSkeleton } from '@/shared/ui/states';
import { AccessForm } from './AccessForm';

interface AccessDialogProps {
  kind: AccessKind;
  id: string;
  onClose: () => void;
}

/* Who has access to a document or folder. What is changed is saved as a whole, and only onto what was shown. */
export function AccessDialog({ kind, id, onClose }: AccessDialogProps) {
  const client = useQueryClient();
  const query = useQuery({
    queryKey: ['access', kind, id],
    queryFn: ({ signal }) => api.access(kind, id, { signal }),
    gcTime: 0,
    refetchOnWindowFocus: false /* what is being filled in stays */,
  });
  const save = useMutation({
    meta: { ownError: true },
    mutationFn: (given: AccessGiven) => api.setAccess(kind, id, given, query.data?.etag ?? null),
    onSuccess: async () => {
      await Promise.all(
        ['documents', 'document', 'search'].map((key) => client.invalidateQueries({ queryKey: [key] })),
      );
      notifyDone(texts.access.saved);
      onClose();
    },
    onError: (error) => {
      if (isStale(error)) void query.refetch();
    },
  });
  return (
    <Dialog onClose={onClose} title={texts.access.title} size="lg">
      {query.isPending ? (
        <PageSkeleton rows={2} />
      ) : query.isError ? (
        <LoadError error={query.error} onRetry={() => void query.refetch()} />
      ) : (
        <AccessForm
          key={query.data.etag}
          saved={query.data.data}
          error={isStale(save.error) ? new Error(texts.access.stale) : save.error}
          busy={save.isPending}
          onSave={save.mutate}
          onClose={onClose}
        />
      )}
    </Dialog>
  );
}

/* Somebody else changed it since it was loaded. */
function isStale(error: unknown): boolean {
  return error instanceof ApiError && error.status === 412;
}
