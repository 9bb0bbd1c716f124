import { Fragment } from 'react';
import type { TextPart } from '@/shared/lib/highlights';

/* Text with its marked parts. Always as text, never as HTML: snippets come out of people's files. */
export function Marked({ parts }: { parts: readonly TextPart[] }) {
  return parts.map((part, index) => (
    <Fragment key={index}>{part.marked ? <mark>{part.text}</mark> : part.text}</Fragment>
  ));
}
