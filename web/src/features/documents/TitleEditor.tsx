import { Button, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { api } from '@/shared/api/api';
import { ApiError } from '@/shared/api/problem';
import type { DmsDocument } from '@/shared/api/types';
import { texts } from '@/shared/texts';
import { notifyError } from '@/shared/ui/notify';
import classes from './TitleEditor.module.css';

interface TitleEditorProps {
  document: DmsDocument;
  etag: string | null;
  onClose: () => void;
}

export function TitleEditor({ document, etag, onClose }: TitleEditorProps) {
  const client = useQueryClient();
  const [title, setTitle] = useState(document.title);
  const rename = useMutation({
    meta: { ownError: true },
    mutationFn: () => api.updateDocument(document.id, { title: title.trim() }, etag),
    onSuccess: async (answer) => {
      client.setQueryData(['document', document.id], answer);
      onClose();
      await client.invalidateQueries({ queryKey: ['documents'] });
    },
    onError: (error) => {
      const stale = error instanceof ApiError && error.status === 412;
      notifyError(stale ? new ApiError(412, error.code, texts.document.stale, error.requestId) : error);
      if (stale) void client.invalidateQueries({ queryKey: ['document', document.id] });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (title.trim() === '' || title.trim() === document.title) onClose();
    else rename.mutate();
  };
  return (
    <form className={classes.form} onSubmit={submit}>
      <TextInput
        className={classes.input}
        aria-label={texts.document.titleLabel}
        value={title}
        onChange={(event) => setTitle(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') onClose();
        }}
        maxLength={500}
        autoFocus
      />
      <Button type="submit" loading={rename.isPending}>
        {texts.save}
      </Button>
      <Button variant="default" onClick={onClose}>
        {texts.cancel}
      </Button>
    </form>
  );
}
