import { expect } from 'chai';
import { OPEN_NEXT, RECEIVE_NEXT, SEND_NEXT } from '../../../protocol/stream/half.js';
import { Stream } from '../../../protocol/stream/stream.js';

/** Every state × input; `-` is illegal. The rows are the tables of wire-protocol.md §6.2 to §6.4. */
const TABLES = {
  open: {
    inputs: ['opened', 'accept', 'peerData', 'write'],
    rows: {
      opening: ['open', '-', '-', 'opening'],
      offered: ['-', 'open', 'offered', '-'],
      open: ['-', '-', 'open', 'open'],
    },
  },
  send: {
    inputs: ['write', 'finish', 'acknowledged', 'reset'],
    rows: {
      open: ['open', 'finished', '-', 'reset'],
      finished: ['-', '-', 'done', 'reset'],
      done: ['-', '-', '-', 'reset'],
      reset: ['-', '-', '-', '-'],
    },
  },
  receive: {
    inputs: ['data', 'fin', 'drained', 'reset'],
    rows: {
      open: ['open', 'finished', '-', 'reset'],
      finished: ['-', '-', 'done', 'reset'],
      done: ['-', '-', '-', 'reset'],
      reset: ['-', '-', '-', '-'],
    },
  },
} as const;

function newStream(): Stream {
  return new Stream(
    { cid: 2, connector: 'db', client: '', openState: 'offered', peerLimit: 10, window: 10 },
    0,
  );
}

describe('the tables of a stream', () => {
  for (const [name, { inputs, rows }] of Object.entries(TABLES)) {
    const next = { open: OPEN_NEXT, send: SEND_NEXT, receive: RECEIVE_NEXT }[name] as Record<
      string,
      Record<string, string | undefined>
    >;

    it(`${name}: has these states and inputs and no others`, () => {
      expect(Object.keys(next)).to.deep.equal(Object.keys(rows));
      for (const row of Object.values(next)) expect(inputs).to.include.members(Object.keys(row));
    });

    for (const [state, row] of Object.entries(rows)) {
      inputs.forEach((input, index) => {
        const expected = (row as readonly string[])[index] ?? '-';
        it(`${name}: ${state} × ${input} → ${expected}`, () => {
          expect(next[state]?.[input] ?? '-').to.equal(expected);
          const stream = newStream();
          const key = `${name}State` as 'openState' | 'sendState' | 'receiveState';
          stream[key] = state as never;
          const moves = {
            open: () => stream.tryOpen(input as never),
            send: () => stream.trySend(input as never),
            receive: () => stream.tryReceive(input as never),
          };
          expect(moves[name as keyof typeof moves]()).to.equal(expected !== '-');
          expect(stream[key]).to.equal(expected === '-' ? state : expected);
        });
      });
    }
  }
});
