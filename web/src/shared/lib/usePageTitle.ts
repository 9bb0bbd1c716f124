import { useEffect } from 'react';
import { texts } from '@/shared/texts';

export function usePageTitle(title: string): void {
  useEffect(() => {
    document.title = title === '' ? texts.product : `${title} · ${texts.product}`;
  }, [title]);
}
