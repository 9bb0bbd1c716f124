import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { api } from '@/shared/api/api';
import type { DmsDocument } from '@/shared/api/types';
import { texts } from '@/shared/texts';
import { LoadError, Message, PageSkeleton } from '@/shared/ui/states';
import classes from './OriginalView.module.css';

/* The only kinds a browser is asked to show. Everything else, HTML above all, is somebody's file and could run code in
 * this page's name; it is downloaded instead. The type is set by us, never taken from the file. */
const images = ['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif', 'image/bmp'];
const pdf = 'application/pdf';
const loadUnaskedBytes = 20_000_000;

function canPreview(type: string): boolean {
  return images.includes(type) || (type === pdf && navigator.pdfViewerEnabled); /* phones often have no viewer */
}

interface OriginalViewProps {
  document: DmsDocument;
  page: number | null;
  onDownload: () => void;
}

export function OriginalView({ document, page, onDownload }: OriginalViewProps) {
  const [asked, setAsked] = useState(document.size <= loadUnaskedBytes);
  if (!canPreview(document.mime_type))
    return (
      <Message
        title={texts.document.original.unsupported.title}
        text={texts.document.original.unsupported.text}
        action={<Button onClick={onDownload}>{texts.document.download}</Button>}
      />
    );
  if (!asked)
    return (
      <Message
        title={texts.document.original.large(document.size)}
        action={<Button onClick={() => setAsked(true)}>{texts.document.original.load}</Button>}
      />
    );
  return <Preview document={document} page={page} />;
}

function Preview({ document, page }: { document: DmsDocument; page: number | null }) {
  const { id, version, mime_type: type, title } = document;
  const content = useQuery({
    queryKey: ['content', id, version],
    queryFn: ({ signal }) => api.documentContent(id, version, { signal }),
    staleTime: Infinity,
    gcTime: 0,
  });
  const url = useObjectUrl(content.data, type);
  if (content.isError) return <LoadError error={content.error} onRetry={() => void content.refetch()} />;
  if (url === null) return <PageSkeleton />;
  return type === pdf ? (
    <iframe
      className={classes.pdf}
      src={`${url}#navpanes=0&page=${String(page ?? 1)}`}
      title={texts.document.original.pdfTitle(title)}
    />
  ) : (
    <img className={classes.image} src={url} alt={texts.document.original.imageAlt(title)} />
  );
}

function useObjectUrl(content: Blob | undefined, type: string): string | null {
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    if (content === undefined) return;
    const made = URL.createObjectURL(new Blob([content], { type }));
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [content, type]);
  return url;
}
