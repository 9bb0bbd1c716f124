import { uploads } from '@/features/upload/uploads';
import { api } from '@/shared/api/api';
import { session } from '@/shared/api/client';

/** Ends the session here at once; telling the server may fail, the token then runs out by itself. */
export async function signOut(): Promise<void> {
  const access = await session.accessToken().catch(() => null);
  uploads.clear();
  const refresh = session.signOut();
  if (refresh !== null && access !== null) await api.logout(refresh, access).catch(() => undefined);
}
