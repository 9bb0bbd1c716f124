import { Menu, SegmentedControl, Text, UnstyledButton, useMantineColorScheme } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import Building from 'lucide-react/icons/building-2';
import Keyboard from 'lucide-react/icons/keyboard';
import LogOut from 'lucide-react/icons/log-out';
import ShieldCheck from 'lucide-react/icons/shield-check';
import { useLocation } from 'wouter';
import { signOut } from '@/features/auth/signOut';
import { session } from '@/shared/api/client';
import { identity } from '@/shared/api/identity';
import { useMe } from '@/shared/lib/useMe';
import { texts } from '@/shared/texts';
import classes from './AccountMenu.module.css';

export function AccountMenu({ onHelp }: { onHelp: () => void }) {
  const { me } = useMe();
  const [, navigate] = useLocation();
  return (
    <Menu position="bottom-end" width={260} withinPortal>
      <Menu.Target>
        <UnstyledButton className={classes.button} aria-label={texts.shell.account}>
          {initialsOf(me?.user.name ?? '')}
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <div className={classes.who}>
          <Text fw={600} size="sm">
            {me?.user.name ?? texts.loading}
          </Text>
          <Text size="xs" c="dimmed">
            {me?.user.email}
          </Text>
          <Text size="xs" c="dimmed">
            {me && `${me.organization.name} · ${me.role}`}
          </Text>
        </div>
        <Organizations />
        <Menu.Divider />
        <ColourChoice />
        <Menu.Divider />
        <Menu.Item leftSection={<ShieldCheck size={16} aria-hidden />} onClick={() => navigate('/account')}>
          {texts.shell.settings}
        </Menu.Item>
        <Menu.Item leftSection={<Keyboard size={16} aria-hidden />} onClick={onHelp}>
          {texts.shell.shortcuts.open}
        </Menu.Item>
        <Menu.Item leftSection={<LogOut size={16} aria-hidden />} onClick={() => void signOut()}>
          {texts.shell.signOut}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

/* The others that this person belongs to. Going there is a session of its own, so everything that was loaded is forgotten. */
function Organizations() {
  const { me } = useMe();
  const client = useQueryClient();
  const [, navigate] = useLocation();
  const change = useMutation({
    mutationFn: identity.switchTo,
    onSuccess: (tokens) => {
      session.signIn(tokens, session.stays());
      client.clear();
      navigate('/');
    },
  });
  const others = me?.organizations?.filter(({ id }) => id !== me.organization.id) ?? [];
  if (others.length === 0) return null;
  return (
    <>
      <Menu.Divider />
      <Menu.Label>{texts.shell.switchTo}</Menu.Label>
      {others.map(({ id, name }) => (
        <Menu.Item key={id} leftSection={<Building size={16} aria-hidden />} onClick={() => change.mutate(id)}>
          {name}
        </Menu.Item>
      ))}
    </>
  );
}

function ColourChoice() {
  /* keepTransitions: switching them off would need a <style> element, which the server's policy forbids */
  const { colorScheme, setColorScheme } = useMantineColorScheme({ keepTransitions: true });
  const { label, ...names } = texts.shell.theme;
  return (
    <div className={classes.colours}>
      <SegmentedControl
        fullWidth
        size="xs"
        aria-label={label}
        value={colorScheme}
        onChange={(value) => setColorScheme(value)}
        data={[
          { value: 'light', label: names.light },
          { value: 'dark', label: names.dark },
          { value: 'auto', label: names.auto },
        ]}
      />
    </div>
  );
}

function initialsOf(name: string): string {
  const words = name.trim().split(/\s+/);
  const letters = [words[0], words.length > 1 ? words[words.length - 1] : ''].map(
    (word) => Array.from(word ?? '')[0] ?? '',
  );
  return letters.join('').toUpperCase() || '·';
}
