import { describe, expect, test } from 'vitest';
import { EventParser } from './sse';

const stream =
  '\uFEFF: hello\n\nevent: document\r\ndata: {"id":"1"}\r\n\r\ndata: one\rdata: two\r\r' +
  'event: ping\ndata\n\nevent: nothing\n\nid: 7\nretry: 10\ndata:  spaced\n\ndata: unfinished';

const expected = [
  { event: 'document', data: '{"id":"1"}' },
  { event: 'message', data: 'one\ntwo' },
  { event: 'ping', data: '' },
  { event: 'message', data: ' spaced' },
];

describe('the parser of event streams', () => {
  test('reads all line ends, comments, empty and repeated data', () => {
    expect(new EventParser().push(stream)).toEqual(expected);
  });

  test('gives the same for pieces of any size', () => {
    for (let size = 1; size < 12; size++) {
      const parser = new EventParser();
      const events = [];
      for (let at = 0; at < stream.length; at += size) events.push(...parser.push(stream.slice(at, at + size)));
      expect(events).toEqual(expected);
    }
  });

  test('refuses a line without end', () => {
    const parser = new EventParser();
    expect(() => {
      for (let i = 0; i < 30; i++) parser.push('x'.repeat(100_000));
    }).toThrow('too long');
  });
});
