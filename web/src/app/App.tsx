import { MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClientProvider } from '@tanstack/react-query';
import { lazy, Suspense, useEffect } from 'react';
import { Redirect, Route, Switch, useLocation, useSearch } from 'wouter';
import { session } from '@/shared/api/client';
import { useStore } from '@/shared/lib/store';
import { PageSkeleton } from '@/shared/ui/states';
import { CrashGuard } from './CrashGuard';
import { loadPage } from './loadPage';
import { queryClient } from '@/shared/queryClient';
import { Shell } from './Shell';
import { theme } from './theme';

const loadDocuments = () => import('@/features/documents/DocumentsPage');
const loadDocument = () => import('@/features/documents/DocumentPage');
const loadTrash = () => import('@/features/documents/TrashPage');
const loadSearch = () => import('@/features/search/SearchPage');
const loadJobs = () => import('@/features/jobs/JobsPage');
const loadKeys = () => import('@/features/keys/KeysPage');
const loadOrganization = () => import('@/features/organization/OrganizationPage');
const loadAccount = () => import('@/features/account/AccountPage');

const SignInPage = lazy(() => loadPage(() => import('@/features/auth/SignInPage')));
const SignUpPage = lazy(() => loadPage(() => import('@/features/auth/SignUpPage')));
const ForgotPage = lazy(() => loadPage(() => import('@/features/auth/ForgotPage')));
const ResetPage = lazy(() => loadPage(() => import('@/features/auth/ResetPage')));
const AcceptPage = lazy(() => loadPage(() => import('@/features/auth/AcceptPage')));
const VerifyPage = lazy(() => loadPage(() => import('@/features/auth/VerifyPage')));
const NotFoundPage = lazy(() => loadPage(() => import('./NotFoundPage')));
const DocumentsPage = lazy(() => loadPage(loadDocuments));
const DocumentPage = lazy(() => loadPage(loadDocument));
const TrashPage = lazy(() => loadPage(loadTrash));
const SearchPage = lazy(() => loadPage(loadSearch));
const JobsPage = lazy(() => loadPage(loadJobs));
const KeysPage = lazy(() => loadPage(loadKeys));
const OrganizationPage = lazy(() => loadPage(loadOrganization));
const AccountPage = lazy(() => loadPage(loadAccount));

const prefetchAfterMs = 800;

/* The other pages are small: they are fetched once the first one stands, so that going there never waits and also works
 * while the server is away. What fails now is tried again when it is needed. */
function usePrefetch(wanted: boolean): void {
  useEffect(() => {
    if (!wanted) return;
    const timer = setTimeout(() => {
      for (const load of [
        loadSearch,
        loadDocument,
        loadDocuments,
        loadTrash,
        loadJobs,
        loadKeys,
        loadOrganization,
        loadAccount,
      ])
        load().catch(() => undefined);
    }, prefetchAfterMs);
    return () => clearTimeout(timer);
  }, [wanted]);
}

export function App() {
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto" withCssVariables={false} withGlobalClasses={false}>
      <Notifications position="top-right" limit={4} />
      <CrashGuard>
        <QueryClientProvider client={queryClient}>
          <Suspense fallback={<PageSkeleton />}>
            <Switch>
              <Route path="/sign-in" component={SignInPage} />
              <Route path="/sign-up" component={SignUpPage} />
              <Route path="/verify" component={VerifyPage} />
              <Route path="/forgot" component={ForgotPage} />
              <Route path="/reset" component={ResetPage} />
              <Route path="/accept" component={AcceptPage} />
              <Route>
                <Inside />
              </Route>
            </Switch>
          </Suspense>
        </QueryClientProvider>
      </CrashGuard>
    </MantineProvider>
  );
}

/* The pages for those who are signed in; others are sent to sign in and come back to where they wanted to go. */
function Inside() {
  const { signedIn } = useStore(session.state);
  const [path] = useLocation();
  const search = useSearch();
  usePrefetch(signedIn);
  if (!signedIn) {
    const wanted = path + (search === '' ? '' : '?' + search);
    return <Redirect to={wanted === '/' ? '/sign-in' : '/sign-in?next=' + encodeURIComponent(wanted)} replace />;
  }
  return (
    <Shell>
      <CrashGuard key={path}>
        <Suspense fallback={<PageSkeleton />}>
          <Switch>
            <Route path="/" component={DocumentsPage} />
            <Route path="/documents">
              <Redirect to="/" replace />
            </Route>
            <Route path="/documents/:id">{({ id }) => <DocumentPage key={id} id={id} />}</Route>
            <Route path="/search" component={SearchPage} />
            <Route path="/trash" component={TrashPage} />
            <Route path="/activity" component={JobsPage} />
            <Route path="/keys" component={KeysPage} />
            <Route path="/organization/:part?">{({ part }) => <OrganizationPage part={part} />}</Route>
            <Route path="/account/:part?">{({ part }) => <AccountPage part={part} />}</Route>
            <Route component={NotFoundPage} />
          </Switch>
        </Suspense>
      </CrashGuard>
    </Shell>
  );
}
