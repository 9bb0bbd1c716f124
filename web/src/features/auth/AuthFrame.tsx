import { Title } from '@mantine/core';
import Check from 'lucide-react/icons/check';
import type { ReactNode } from 'react';
import { Footer } from '@/shared/ui/Footer';
import { texts } from '@/shared/texts';
import classes from './AuthFrame.module.css';

/* The frame of the pages outside: what the product is on one side, the form on the other. */
export function AuthFrame({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className={classes.frame}>
      <section className={classes.pitch} aria-label={texts.product}>
        <div className={classes.brand}>
          <img src="/favicon.svg" alt="" width={36} height={36} />
          {texts.product}
        </div>
        <p className={classes.tagline}>{texts.auth.tagline}</p>
        <ul className={classes.points}>
          {texts.auth.points.map((point) => (
            <li key={point}>
              <Check size={18} aria-hidden />
              {point}
            </li>
          ))}
        </ul>
      </section>
      <main className={classes.side}>
        <div className={classes.card}>
          <Title order={1} size="h2" mb="lg">
            {title}
          </Title>
          {children}
        </div>
        <Footer inShell={false} />
      </main>
    </div>
  );
}
