import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api } from '@/shared/api/api';
import { saveBlob } from '@/shared/lib/download';
import { texts } from '@/shared/texts';
import { notifyDone } from '@/shared/ui/notify';
import { useTrash } from './useTrash';

interface Target {
  id: string;
  title: string;
  name: string;
}

/** What can be done with a document from wherever it is shown. */
export function useDocumentActions(document: Target) {
  const client = useQueryClient();
  const { trash, restore } = useTrash();
  const download = useMutation({
    mutationFn: async ({ version, name }: { version: number | null; name: string }) =>
      saveBlob(await api.documentContent(document.id, version), name),
  });
  const reprocess = useMutation({
    mutationFn: () => api.reprocessDocument(document.id),
    onSuccess: async () => {
      notifyDone(texts.document.reprocessing);
      await Promise.all(
        ['documents', 'document', 'timeline'].map((key) => client.invalidateQueries({ queryKey: [key] })),
      );
    },
  });
  return {
    download: (version: number | null, name = document.name) => download.mutate({ version, name }),
    downloading: download.isPending,
    reprocess: () => reprocess.mutate(),
    reprocessing: reprocess.isPending,
    trash: (onDone?: () => void) => trash.mutate([document], onDone === undefined ? {} : { onSuccess: onDone }),
    restore: () => restore.mutate(document),
    restoring: restore.isPending,
  };
}
