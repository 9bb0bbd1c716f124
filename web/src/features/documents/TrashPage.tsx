import { Button, Group, Table } from '@mantine/core';
import Trash from 'lucide-react/icons/trash-2';
import { Link } from 'wouter';
import { api } from '@/shared/api/api';
import { useMe } from '@/shared/lib/useMe';
import { usePages } from '@/shared/lib/usePages';
import { usePageTitle } from '@/shared/lib/usePageTitle';
import { texts } from '@/shared/texts';
import card from '@/shared/ui/card.module.css';
import { FileIcon } from '@/shared/ui/FileIcon';
import { PageHeader } from '@/shared/ui/PageHeader';
import { LoadError, Message, PageSkeleton } from '@/shared/ui/states';
import { Time } from '@/shared/ui/Time';
import classes from './TrashPage.module.css';
import { useTrash } from './useTrash';

export default function TrashPage() {
  usePageTitle(texts.trash.title);
  const { can } = useMe();
  const { restore } = useTrash();
  const list = usePages(['trash'], api.documents, { trashed: true });
  const documents = list.items;

  return (
    <>
      <PageHeader title={texts.trash.title} text={texts.trash.text} />
      {list.isPending ? (
        <PageSkeleton />
      ) : list.isError ? (
        <LoadError error={list.error} onRetry={() => void list.refetch()} />
      ) : documents.length === 0 ? (
        <Message icon={<Trash size={28} />} title={texts.trash.empty.title} text={texts.trash.empty.text} />
      ) : (
        <div className={card.card}>
          <Table verticalSpacing={10} horizontalSpacing="md">
            <Table.Tbody>
              {documents.map((document) => (
                <Table.Tr key={document.id}>
                  <Table.Td>
                    <div className={classes.name}>
                      <FileIcon type={document.mime_type} />
                      <div className={classes.words}>
                        <Link href={`/documents/${document.id}`} className={classes.title}>
                          {document.title}
                        </Link>
                        <span className={classes.sub}>
                          {texts.trash.trashedAt} <Time at={document.trashed_at ?? document.updated_at} />
                        </span>
                      </div>
                    </div>
                  </Table.Td>
                  <Table.Td>
                    <Group justify="flex-end" gap="xs">
                      {can('document.restore') && (
                        <Button
                          size="xs"
                          variant="light"
                          aria-label={texts.trash.restoreOne(document.title)}
                          onClick={() => restore.mutate(document)}
                        >
                          {texts.trash.restore}
                        </Button>
                      )}
                    </Group>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </div>
      )}
      {list.hasNextPage && (
        <div className={classes.more}>
          <Button variant="default" loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
            {texts.showMore}
          </Button>
        </div>
      )}
    </>
  );
}
