import { Kbd, UnstyledButton } from '@mantine/core';
import Search from 'lucide-react/icons/search';
import X from 'lucide-react/icons/x';
import { type FormEvent, useEffect, useRef, useState } from 'react';
import { useLocation, useSearchParams } from 'wouter';
import { texts } from '@/shared/texts';
import classes from './SearchBox.module.css';

export const searchBoxId = 'search';

const typingPauseMs = 250;

/* The one search box. Return searches from anywhere; on the results page they follow while typing. */
export function SearchBox() {
  const [path, navigate] = useLocation();
  const [parameters] = useSearchParams();
  const onPage = path === '/search';
  const asked = onPage ? (parameters.get('q') ?? '') : '';
  const mode = onPage ? parameters.get('mode') : null;
  const [text, setText] = useState(asked);
  const [shownFor, setShownFor] = useState(asked);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const input = useRef<HTMLInputElement>(null);

  if (asked !== shownFor) {
    /* the address changed by another way than this box: back, forward, a link */
    setShownFor(asked);
    if (asked !== text.trim()) setText(asked);
  }
  useEffect(() => () => clearTimeout(timer.current), [path]);

  const search = (query: string, replace: boolean) => {
    clearTimeout(timer.current);
    const next = new URLSearchParams(query === '' ? {} : { q: query });
    if (mode !== null) next.set('mode', mode);
    navigate('/search' + (next.size === 0 ? '' : '?' + next.toString()), { replace });
  };
  const change = (value: string) => {
    setText(value);
    clearTimeout(timer.current);
    if (onPage) timer.current = setTimeout(() => search(value.trim(), /* replace= */ true), typingPauseMs);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    search(text.trim(), onPage);
  };

  return (
    <form className={classes.form} role="search" onSubmit={submit}>
      <Search className={classes.icon} size={18} aria-hidden />
      <input
        ref={input}
        id={searchBoxId}
        className={classes.input}
        type="search"
        value={text}
        onChange={(event) => change(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') event.currentTarget.blur();
        }}
        aria-label={texts.search.label}
        placeholder={texts.search.placeholder}
        autoComplete="off"
        spellCheck={false}
        enterKeyHint="search"
        maxLength={1000}
      />
      {text === '' ? (
        <Kbd className={classes.key} aria-hidden="true">
          /
        </Kbd>
      ) : (
        <UnstyledButton
          className={classes.clear}
          aria-label={texts.search.clear}
          onClick={() => {
            change('');
            input.current?.focus();
          }}
        >
          <X size={16} aria-hidden />
        </UnstyledButton>
      )}
    </form>
  );
}
