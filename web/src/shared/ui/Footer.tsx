import { useQuery } from '@tanstack/react-query';
import { api } from '@/shared/api/api';
import { texts } from '@/shared/texts';
import classes from './Footer.module.css';

export function Footer({ inShell = true }: { inShell?: boolean }) {
  const { data } = useQuery({
    queryKey: ['version'],
    queryFn: ({ signal }) => api.version({ signal }),
    staleTime: Infinity,
    retry: false,
  });
  return (
    <footer className={inShell ? classes.footer : classes.alone}>
      <span>{texts.product}</span>
      {typeof data?.version === 'string' && <span>{texts.shell.version(data.version)}</span>}
      <a href="/docs">{texts.shell.apiReference}</a>
    </footer>
  );
}
