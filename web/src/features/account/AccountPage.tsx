import { Tabs } from '@mantine/core';
import { usePageTitle } from '@/shared/lib/usePageTitle';
import { texts } from '@/shared/texts';
import { PageHeader } from '@/shared/ui/PageHeader';
import { useLocation } from 'wouter';
import { PasswordForm } from './PasswordForm';
import { Providers } from './Providers';
import { SecondFactor } from './SecondFactor';
import { Sessions } from './Sessions';
import { useProviders } from './useProviders';

/* What belongs to the person, whatever the organization. The part that is open stands in the address. */
export default function AccountPage({ part = 'password' }: { part?: string }) {
  usePageTitle(texts.account.title);
  const [, navigate] = useLocation();
  const { any, isPending } = useProviders();
  const elsewhere = any || (isPending && part === 'providers');
  const { tabs } = texts.account;
  return (
    <>
      <PageHeader title={texts.account.title} />
      <Tabs
        value={part}
        onChange={(value) => navigate(value === null || value === 'password' ? '/account' : `/account/${value}`)}
        keepMounted={false}
      >
        <Tabs.List>
          <Tabs.Tab value="password">{tabs.password}</Tabs.Tab>
          <Tabs.Tab value="sessions">{tabs.sessions}</Tabs.Tab>
          <Tabs.Tab value="second">{tabs.second}</Tabs.Tab>
          {elsewhere && <Tabs.Tab value="providers">{tabs.providers}</Tabs.Tab>}
        </Tabs.List>
        <Tabs.Panel value="password">
          <PasswordForm />
        </Tabs.Panel>
        <Tabs.Panel value="sessions">
          <Sessions />
        </Tabs.Panel>
        <Tabs.Panel value="second">
          <SecondFactor />
        </Tabs.Panel>
        {elsewhere && (
          <Tabs.Panel value="providers">
            <Providers />
          </Tabs.Panel>
        )}
      </Tabs>
    </>
  );
}
