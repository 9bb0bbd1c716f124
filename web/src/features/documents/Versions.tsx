import { ActionIcon, Badge, Button } from '@mantine/core';
import Download from 'lucide-react/icons/download';
import UploadIcon from 'lucide-react/icons/upload';
import { chooseFiles } from '@/features/upload/uploads';
import { api } from '@/shared/api/api';
import type { DmsDocument } from '@/shared/api/types';
import { formatBytes } from '@/shared/lib/format';
import { useMe } from '@/shared/lib/useMe';
import { usePages } from '@/shared/lib/usePages';
import { texts } from '@/shared/texts';
import { LoadError, PageSkeleton } from '@/shared/ui/states';
import { Time } from '@/shared/ui/Time';
import classes from './Versions.module.css';

interface VersionsProps {
  document: DmsDocument;
  onDownload: (version: number, name: string) => void;
}

export function Versions({ document, onDownload }: VersionsProps) {
  const { can } = useMe();
  const list = usePages(['versions', document.id, document.version], (query, options) =>
    api.documentVersions(document.id, query, options),
  );
  if (list.isPending) return <PageSkeleton rows={3} />;
  if (list.isError) return <LoadError error={list.error} onRetry={() => void list.refetch()} />;
  return (
    <>
      {can('document.update') && (
        <Button
          variant="light"
          mb="md"
          leftSection={<UploadIcon size={16} aria-hidden />}
          onClick={() => chooseFiles(document.id)}
        >
          {texts.document.newVersion}
        </Button>
      )}
      <ol className={classes.list}>
        {list.items.map((version) => (
          <li key={version.version} className={classes.row}>
            <div className={classes.words}>
              <span className={classes.title}>
                {texts.document.versions.number(version.version)}
                {version.current && (
                  <Badge size="sm" variant="light" tt="none">
                    {texts.document.versions.current}
                  </Badge>
                )}
              </span>
              <span className={classes.sub}>
                {version.name} · {formatBytes(version.size)} · <Time at={version.created_at} />
                {version.author !== null && ' ' + texts.document.versions.by(version.author.name)}
              </span>
            </div>
            {can('document.download') && (
              <ActionIcon
                variant="subtle"
                size="lg"
                aria-label={texts.document.versions.download(version.version)}
                onClick={() => onDownload(version.version, version.name)}
              >
                <Download size={18} aria-hidden />
              </ActionIcon>
            )}
          </li>
        ))}
      </ol>
      {list.hasNextPage && (
        <Button variant="default" loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          {texts.showMore}
        </Button>
      )}
    </>
  );
}
