/* What is around every page: search, navigation, uploads, the connection to the server. */
import { ActionIcon, Button, VisuallyHidden } from '@mantine/core';
import Activity from 'lucide-react/icons/activity';
import Building from 'lucide-react/icons/building-2';
import Files from 'lucide-react/icons/files';
import KeyRound from 'lucide-react/icons/key-round';
import Trash from 'lucide-react/icons/trash-2';
import UploadIcon from 'lucide-react/icons/upload';
import { type ComponentType, type ReactNode, useEffect, useRef, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { useDocumentEvents } from '@/features/documents/useDocumentEvents';
import { SearchBox, searchBoxId } from '@/features/search/SearchBox';
import { UploadArea } from '@/features/upload/UploadArea';
import { chooseFiles } from '@/features/upload/uploads';
import { useMe } from '@/shared/lib/useMe';
import { texts } from '@/shared/texts';
import { AccountMenu } from './AccountMenu';
import { Footer } from '@/shared/ui/Footer';
import { OfflineBanner } from './OfflineBanner';
import classes from './Shell.module.css';
import { Shortcuts } from './Shortcuts';

interface NavItem {
  href: string;
  label: string;
  icon: ComponentType<{ size?: number; 'aria-hidden'?: boolean }>;
  permission: string;
}

const navigation: NavItem[] = [
  { href: '/', label: texts.shell.documents, icon: Files, permission: 'document.read' },
  { href: '/activity', label: texts.shell.jobs, icon: Activity, permission: 'document.read' },
  { href: '/trash', label: texts.shell.trash, icon: Trash, permission: 'document.read' },
  { href: '/keys', label: texts.shell.apiKeys, icon: KeyRound, permission: 'apikey.manage' },
  { href: '/organization', label: texts.shell.organization, icon: Building, permission: 'member.read' },
];

export function Shell({ children }: { children: ReactNode }) {
  const { can } = useMe();
  const [helpOpened, setHelpOpened] = useState(false);
  useDocumentEvents();
  useFocusOnNavigation();

  return (
    <div className={classes.shell}>
      <a className={classes.skip} href="#main">
        {texts.skipToContent}
      </a>
      <header className={classes.header}>
        <Link href="/" className={classes.brand} aria-label={texts.product}>
          <img src="/favicon.svg" alt="" width={30} height={30} />
          <span className={classes.brandName}>{texts.product}</span>
        </Link>
        <SearchBox />
        {can('document.create') && <UploadButton />}
        <AccountMenu onHelp={() => setHelpOpened(true)} />
      </header>
      <nav className={classes.nav} aria-label={texts.shell.navigation}>
        {navigation
          .filter((item) => can(item.permission))
          .map((item) => (
            <NavLink key={item.href} item={item} />
          ))}
      </nav>
      <main className={classes.main} id="main" tabIndex={-1}>
        <OfflineBanner />
        {children}
      </main>
      <Footer />
      <UploadArea allowed={can('document.create')} />
      <Shortcuts opened={helpOpened} onOpen={() => setHelpOpened(true)} onClose={() => setHelpOpened(false)} />
    </div>
  );
}

function NavLink({ item }: { item: NavItem }) {
  const [path] = useLocation();
  const current = item.href === '/' ? path === '/' || path.startsWith('/documents') : path.startsWith(item.href);
  return (
    <Link href={item.href} className={classes.navLink} aria-current={current ? 'page' : undefined}>
      <item.icon size={19} aria-hidden />
      <span>{item.label}</span>
    </Link>
  );
}

function UploadButton() {
  return (
    <>
      <Button
        className={classes.wideOnly}
        leftSection={<UploadIcon size={17} aria-hidden />}
        onClick={() => chooseFiles()}
      >
        {texts.shell.upload}
      </Button>
      <ActionIcon
        className={classes.narrowOnly}
        size={38}
        aria-label={texts.shell.upload}
        onClick={() => chooseFiles()}
      >
        <UploadIcon size={19} aria-hidden />
        <VisuallyHidden>{texts.shell.upload}</VisuallyHidden>
      </ActionIcon>
    </>
  );
}

/* A new page: screen readers and the keyboard go to its start, unless somebody is typing a search. Back and forward keep
 * the place, which the browser restores. */
function useFocusOnNavigation(): void {
  const [path] = useLocation();
  const before = useRef(path);
  const wentBack = useRef(false);
  useEffect(() => {
    const note = () => (wentBack.current = true);
    window.addEventListener('popstate', note);
    return () => window.removeEventListener('popstate', note);
  }, []);
  useEffect(() => {
    if (before.current === path) return;
    before.current = path;
    if (document.activeElement?.id !== searchBoxId) document.getElementById('main')?.focus({ preventScroll: true });
    if (!wentBack.current) window.scrollTo(0, 0);
    wentBack.current = false;
  }, [path]);
}
