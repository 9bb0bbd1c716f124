import { Table, Text, VisuallyHidden } from '@mantine/core';
import Check from 'lucide-react/icons/check';
import { texts } from '@/shared/texts';
import card from '@/shared/ui/card.module.css';
import classes from '@/shared/ui/form.module.css';
import { LoadError, PageSkeleton } from '@/shared/ui/states';
import own from './Roles.module.css';
import { roleValue, useRoles } from './useRoles';

const words = texts.organization.roles;

/* What each role may do, as a table: a permission a row. */
export function Roles() {
  const query = useRoles();
  if (query.isPending) return <PageSkeleton rows={8} />;
  if (query.isError) return <LoadError error={query.error} onRetry={() => void query.refetch()} />;
  const { roles } = query;
  const permissions = [...new Set(roles.flatMap((role) => role.permissions))];
  return (
    <div className={classes.section}>
      <div className={classes.dim}>{words.text}</div>
      <div className={`${card.card} ${own.scroll}`} tabIndex={0} role="region" aria-label={words.text}>
        <Table horizontalSpacing="md" className={classes.table}>
          <Table.Thead className={classes.head}>
            <Table.Tr>
              <Table.Th className={own.name}>{words.permission}</Table.Th>
              {roles.map((role) => (
                <Table.Th key={roleValue(role)} className={own.cell}>
                  {role.name}
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {permissions.map((permission) => (
              <Table.Tr key={permission}>
                <Table.Td className={own.name}>{permission}</Table.Td>
                {roles.map((role) => (
                  <Table.Td key={roleValue(role)} className={own.cell}>
                    {role.permissions.includes(permission) ? (
                      <>
                        <Check size={16} aria-hidden />
                        <VisuallyHidden>{words.may(role.name)}</VisuallyHidden>
                      </>
                    ) : (
                      <>
                        <Text span c="dimmed" aria-hidden>
                          ·
                        </Text>
                        <VisuallyHidden>{words.mayNot(role.name)}</VisuallyHidden>
                      </>
                    )}
                  </Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
    </div>
  );
}
