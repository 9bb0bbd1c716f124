/** Where to go after signing in: only to a path of this application, whatever the address bar says. */
export function destination(next: string | null): string {
  if (next === null) return '/';
  try {
    const url = new URL(next, location.origin);
    return url.origin === location.origin && next.startsWith('/') ? url.pathname + url.search : '/';
  } catch {
    return '/';
  }
}
