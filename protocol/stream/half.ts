/**
 * Each half of a stream is a table (wire-protocol.md §6): a missing cell is illegal.
 * `send` is the direction in which we write, `receive` the one in which the peer writes.
 */

/** open → finished (FIN written) → done (FIN acknowledged). */
export type SendState = 'open' | 'finished' | 'done' | 'reset';
export type SendInput = 'write' | 'finish' | 'acknowledged' | 'reset';

export const SEND_NEXT: Readonly<Record<SendState, Readonly<Partial<Record<SendInput, SendState>>>>> = {
  open: { write: 'open', finish: 'finished', reset: 'reset' },
  finished: { acknowledged: 'done', reset: 'reset' },
  done: { reset: 'reset' },
  reset: {},
};

/** open → finished (FIN received) → done (FIN took effect at the destination). */
export type ReceiveState = 'open' | 'finished' | 'done' | 'reset';
export type ReceiveInput = 'data' | 'fin' | 'drained' | 'reset';

export const RECEIVE_NEXT: Readonly<
  Record<ReceiveState, Readonly<Partial<Record<ReceiveInput, ReceiveState>>>>
> = {
  open: { data: 'open', fin: 'finished', reset: 'reset' },
  finished: { drained: 'done', reset: 'reset' },
  done: { reset: 'reset' },
  reset: {},
};

/** The stream as a whole, before its halves count: who still has to answer OPEN. */
export type OpenState = 'opening' | 'offered' | 'open';
export type OpenInput = 'opened' | 'accept' | 'peerData' | 'write';

/**
 * The opener (`opening`) may write at once within the window of the handshake; the acceptor (`offered`) takes that
 * data, and writes only after its OPENED.
 */
export const OPEN_NEXT: Readonly<Record<OpenState, Readonly<Partial<Record<OpenInput, OpenState>>>>> = {
  opening: { opened: 'open', write: 'opening' },
  offered: { accept: 'open', peerData: 'offered' },
  open: { peerData: 'open', write: 'open' },
};
