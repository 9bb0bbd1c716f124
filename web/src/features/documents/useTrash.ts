import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api } from '@/shared/api/api';
import { texts } from '@/shared/texts';
import { notifyDone, notifyError, notifyUndo } from '@/shared/ui/notify';

interface Named {
  id: string;
  title: string;
}

/** Moving to the trash and back. Every deletion says so and can be undone from the message. */
export function useTrash() {
  const client = useQueryClient();
  const refresh = () =>
    Promise.all(
      ['documents', 'trash', 'document', 'search'].map((key) => client.invalidateQueries({ queryKey: [key] })),
    );

  const restore = useMutation({
    mutationFn: ({ id }: Named) => api.restoreDocument(id),
    onSuccess: async (_answer, { title }) => {
      await refresh();
      notifyDone(texts.documents.restored(title));
    },
  });
  const trash = useMutation({
    mutationFn: (documents: readonly Named[]) => trashAll(documents),
    onSuccess: async ({ gone, failure }) => {
      await refresh();
      const first = gone[0];
      if (first !== undefined)
        notifyUndo(
          gone.length === 1 ? texts.documents.trashed(first.title) : texts.documents.trashedMany(gone.length),
          () => {
            for (const document of gone) restore.mutate(document);
          },
        );
      if (failure !== null) notifyError(failure);
    },
  });
  return { trash, restore };
}

/* One that cannot be deleted does not keep the others. */
async function trashAll(documents: readonly Named[]): Promise<{ gone: Named[]; failure: unknown }> {
  const gone: Named[] = [];
  let failure: unknown = null;
  for (const document of documents) {
    try {
      await api.trashDocument(document.id);
      gone.push(document);
    } catch (error) {
      failure = error;
    }
  }
  return { gone, failure };
}
