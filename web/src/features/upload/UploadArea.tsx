/* Takes what is dropped or pasted anywhere in the window, and shows how far it is. */
import UploadIcon from 'lucide-react/icons/upload';
import { useEffect, useState } from 'react';
import { useStore } from '@/shared/lib/store';
import { texts } from '@/shared/texts';
import { notifyError } from '@/shared/ui/notify';
import { filesOf } from './dropped';
import classes from './UploadArea.module.css';
import { UploadTray } from './UploadTray';
import { uploads } from './uploads';

const catchUpEveryMs = 2000;

export function UploadArea({ allowed }: { allowed: boolean }) {
  const rows = useStore(uploads.uploads);
  const sending = rows.some((row) => row.phase === 'waiting' || row.phase === 'uploading');
  const processing = rows.some((row) => row.phase === 'processing');
  const over = useDrop(allowed);

  useEffect(() => {
    if (!processing) return;
    const timer = setInterval(() => void uploads.catchUp(Date.now()), catchUpEveryMs);
    return () => clearInterval(timer);
  }, [processing]);

  useEffect(() => {
    if (!sending) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener('beforeunload', ask);
    return () => window.removeEventListener('beforeunload', ask);
  }, [sending]);

  return (
    <>
      {over && (
        <div className={classes.overlay}>
          <div className={classes.hint}>
            <UploadIcon size={40} aria-hidden />
            <strong>{texts.upload.drop}</strong>
            <span>{texts.upload.dropHint}</span>
          </div>
        </div>
      )}
      {rows.length > 0 && <UploadTray rows={rows} />}
    </>
  );
}

/* The whole window is the target; a file that is not wanted here must not replace the page either. */
function useDrop(allowed: boolean): boolean {
  const [over, setOver] = useState(false);
  useEffect(() => {
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false;
    const enter = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      if (event.dataTransfer !== null) event.dataTransfer.dropEffect = allowed ? 'copy' : 'none';
      setOver(allowed);
    };
    const leave = (event: DragEvent) => {
      if (event.relatedTarget === null) setOver(false);
    };
    const drop = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(false);
      if (allowed && event.dataTransfer !== null)
        filesOf(event.dataTransfer).then((files) => uploads.add(files), notifyError);
    };
    const paste = (event: ClipboardEvent) => {
      const files = Array.from(event.clipboardData?.files ?? []);
      if (allowed && files.length > 0) uploads.add(files);
    };
    window.addEventListener('dragenter', enter);
    window.addEventListener('dragover', enter);
    window.addEventListener('dragleave', leave);
    window.addEventListener('drop', drop);
    window.addEventListener('paste', paste);
    return () => {
      window.removeEventListener('dragenter', enter);
      window.removeEventListener('dragover', enter);
      window.removeEventListener('dragleave', leave);
      window.removeEventListener('drop', drop);
      window.removeEventListener('paste', paste);
    };
  }, [allowed]);
  return over;
}
