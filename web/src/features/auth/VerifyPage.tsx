import { Alert, Button, Loader } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link, useSearchParams } from 'wouter';
import { api } from '@/shared/api/api';
import { usePageTitle } from '@/shared/lib/usePageTitle';
import { texts } from '@/shared/texts';
import { messageOf } from '@/shared/ui/notify';
import { AuthFrame } from './AuthFrame';

/* Where the link in the confirmation mail leads. */
export default function VerifyPage() {
  usePageTitle(texts.auth.checkMail);
  const [search] = useSearchParams();
  const token = search.get('token') ?? '';
  const verify = useQuery({
    queryKey: ['verify', token],
    queryFn: () => api.verify(token).then(() => true),
    staleTime: Infinity,
    refetchOnWindowFocus: false,
  });
  if (verify.isPending)
    return (
      <AuthFrame title={texts.auth.verifying}>
        <Loader aria-label={texts.loading} />
      </AuthFrame>
    );
  return (
    <AuthFrame title={verify.isError ? texts.auth.verifyFailed : texts.auth.verified}>
      {verify.isError && (
        <Alert color="red" mb="md">
          {messageOf(verify.error)}
        </Alert>
      )}
      <Button component={Link} href="/sign-in" fullWidth>
        {texts.auth.signIn}
      </Button>
    </AuthFrame>
  );
}
