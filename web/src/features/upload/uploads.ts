/* The upload queue of this tab, and the ways into it. */
import { queryClient } from '@/shared/queryClient';
import { api } from '@/shared/api/api';
import { sleep } from '@/shared/lib/backoff';
import { messageOf } from '@/shared/ui/notify';
import { UploadQueue } from './queue';
import { sendFile } from './send';

export const uploads = new UploadQueue({
  send: sendFile,
  fetchDocument: (id) => api.document(id).then(({ data }) => data),
  reprocess: api.reprocessDocument,
  wait: sleep,
  explain: messageOf,
  onStored: (document) => {
    void queryClient.invalidateQueries({ queryKey: ['documents'] });
    void queryClient.invalidateQueries({ queryKey: ['document', document.id] });
  },
});

/** Opens the file chooser; `target` is the document that gets a new version, or null for new documents. */
export function chooseFiles(target: string | null = null): void {
  const input = document.createElement('input');
  input.type = 'file';
  input.multiple = target === null;
  input.hidden = true;
  input.oncancel = () => input.remove();
  input.onchange = () => {
    uploads.add(Array.from(input.files ?? []), target);
    input.remove();
  };
  document.body.append(input); /* one that stands nowhere may be collected while its dialog is open */
  input.click();
}
