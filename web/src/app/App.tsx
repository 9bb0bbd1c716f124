import { MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClientProvider } from '@tanstack/react-query';
import { lazy, Suspense } from 'react';
import { Redirect, Route, Switch, useLocation, useSearch } from 'wouter';
import { session } from '@/shared/api/client';
import { useStore } from '@/shared/lib/store';
import { texts } from '@/shared/texts';
import { PageSkeleton } from '@/shared/ui/states';
import { CrashGuard } from './CrashGuard';
import { queryClient } from '@/shared/queryClient';
import { Shell } from './Shell';
import { theme } from './theme';

const SignInPage = lazy(() => import('@/features/auth/SignInPage'));
const SignUpPage = lazy(() => import('@/features/auth/SignUpPage'));
const VerifyPage = lazy(() => import('@/features/auth/VerifyPage'));
const DocumentsPage = lazy(() => import('@/features/documents/DocumentsPage'));
const DocumentPage = lazy(() => import('@/features/documents/DocumentPage'));
const TrashPage = lazy(() => import('@/features/documents/TrashPage'));
const SearchPage = lazy(() => import('@/features/search/SearchPage'));
const JobsPage = lazy(() => import('@/features/jobs/JobsPage'));
const KeysPage = lazy(() => import('@/features/keys/KeysPage'));
const NotFoundPage = lazy(() => import('./NotFoundPage'));

export function App() {
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto" withCssVariables={false} withGlobalClasses={false}>
      <Notifications position="top-right" limit={4} aria-label={texts.product} />
      <CrashGuard>
        <QueryClientProvider client={queryClient}>
          <Suspense fallback={<PageSkeleton />}>
            <Switch>
              <Route path="/sign-in" component={SignInPage} />
              <Route path="/sign-up" component={SignUpPage} />
              <Route path="/verify" component={VerifyPage} />
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
            <Route component={NotFoundPage} />
          </Switch>
        </Suspense>
      </CrashGuard>
    </Shell>
  );
}
