/* Parser of text/event-stream (WHATWG HTML 9.2.6). EventSource can not send an Authorization header, so we read the
 * stream ourselves. */

export interface ServerEvent {
  event: string;
  data: string;
}

const maxPendingChars = 1_000_000; /* one event larger than this is not ours */

export class EventParser {
  private rest = '';
  private event = '';
  private data: string[] = [];
  private started = false;

  /** Feeds decoded text in pieces of any size; returns the events completed by it. */
  push(piece: string): ServerEvent[] {
    let text = this.rest + piece;
    if (!this.started && text !== '') {
      this.started = true;
      if (text.startsWith('\uFEFF')) text = text.slice(1);
    }
    const events: ServerEvent[] = [];
    const line = /\r\n|\n|\r/g;
    let from = 0;
    for (let end = line.exec(text); end !== null; end = line.exec(text)) {
      if (end[0] === '\r' && line.lastIndex === text.length) break; /* the \n may come with the next piece */
      this.take(text.slice(from, end.index), events);
      from = line.lastIndex;
    }
    this.rest = text.slice(from);
    if (this.rest.length > maxPendingChars) throw new Error('event stream: line too long');
    return events;
  }

  private take(line: string, events: ServerEvent[]): void {
    if (line === '') {
      if (this.data.length > 0) events.push({ event: this.event || 'message', data: this.data.join('\n') });
      this.event = '';
      this.data = [];
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return; /* a comment */
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.event = value;
    else if (field === 'data') this.data.push(value);
  }
}
