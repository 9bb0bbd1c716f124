import { Tabs } from '@mantine/core';
import { useLocation } from 'wouter';
import { useMe } from '@/shared/lib/useMe';
import { usePageTitle } from '@/shared/lib/usePageTitle';
import { texts } from '@/shared/texts';
import { PageHeader } from '@/shared/ui/PageHeader';
import { Audit } from './Audit';
import { Groups } from './Groups';
import { Members } from './Members';
import { Roles } from './Roles';
import { Settings } from './Settings';

const parts = [
  { id: 'members', permission: 'member.read', show: Members },
  { id: 'groups', permission: 'member.read', show: Groups },
  { id: 'roles', permission: 'member.read', show: Roles },
  { id: 'audit', permission: 'audit.read', show: Audit },
  { id: 'settings', permission: 'organization.update', show: Settings },
] as const;

/* Who is in the organization and what they may do. The part that is open stands in the address. */
export default function OrganizationPage({ part = 'members' }: { part?: string }) {
  usePageTitle(texts.organization.title);
  const [, navigate] = useLocation();
  const { me, can } = useMe();
  const mine = parts.filter(({ permission }) => can(permission));
  return (
    <>
      <PageHeader title={me?.organization.name ?? texts.organization.title} />
      <Tabs
        value={part}
        onChange={(value) =>
          navigate(value === null || value === 'members' ? '/organization' : `/organization/${value}`)
        }
        keepMounted={false}
      >
        <Tabs.List>
          {mine.map(({ id }) => (
            <Tabs.Tab key={id} value={id}>
              {texts.organization.tabs[id]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {mine.map(({ id, show: Show }) => (
          <Tabs.Panel key={id} value={id}>
            <Show />
          </Tabs.Panel>
        ))}
      </Tabs>
    </>
  );
}
