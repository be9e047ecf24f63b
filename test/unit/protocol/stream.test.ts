import { expect } from 'chai';
import { SessionError, StreamError } from '../../../protocol/errors.js';
import { Stream } from '../../../protocol/stream/stream.js';

function newStream(openState: 'opening' | 'offered' = 'offered'): Stream {
  return new Stream({ cid: 2, connector: 'db', client: '', openState, peerLimit: 1000, window: 1000 }, 0);
}

function sent(stream: Stream, count: number): Stream {
  stream.buffer.write(new Uint8Array(count));
  stream.buffer.take(count);
  return stream;
}

describe('a stream', () => {
  it('is sendable with bytes below the limit, not at the limit, and again with a higher one', () => {
    const stream = newStream();
    expect(stream.sendable).to.equal(false);
    sent(stream, 1000).buffer.write(new Uint8Array(1));
    expect(stream.sendable).to.equal(false);
    stream.onCredit(0, 1001);
    expect(stream.sendable).to.equal(true);
  });

  it('owes its FIN only when every byte is sent, and only once', () => {
    const stream = newStream();
    stream.buffer.write(new Uint8Array(10));
    stream.trySend('finish');
    expect(stream.finDue).to.equal(false);
    stream.buffer.take(10);
    expect([stream.finDue, stream.sendable]).to.deep.equal([true, true]);
    stream.finSent = true;
    expect([stream.finDue, stream.sendable]).to.deep.equal([false, false]);
  });

  it('counts what it holds in both directions', () => {
    const stream = sent(newStream(), 10);
    stream.buffer.write(new Uint8Array(5));
    stream.onData(0, 7);
    stream.receive.consume(3);
    expect(stream.buffer.held + stream.receive.held).to.equal(15 + 4);
  });

  it('takes the higher limit of OPENED, and OPENED once', () => {
    const stream = newStream('opening');
    stream.onOpened(500);
    expect(stream.peerLimit).to.equal(1000);
    const other = newStream('opening');
    other.onOpened(5000);
    expect(other.peerLimit).to.equal(5000);
    expect(() => other.onOpened(5000)).to.throw(StreamError, 'OPENED');
  });

  it('takes nothing but CREDIT from an acceptor that has not answered', () => {
    expect(() => newStream('opening').onData(0, 1)).to.throw(StreamError, 'DATA before OPENED');
    expect(() => newStream('opening').onFin(0)).to.throw(StreamError, 'FIN before OPENED');
    expect(newStream('opening').onCredit(0, 1)).to.equal(0);
  });

  it('takes nothing behind a FIN', () => {
    const stream = newStream();
    stream.onFin(0);
    expect(() => stream.onData(1, 1)).to.throw(StreamError, 'DATA after FIN');
    expect(() => stream.onFin(1)).to.throw(StreamError, 'a second FIN');
  });

  it('frees what a CREDIT acknowledges, once', () => {
    const stream = sent(newStream(), 100);
    expect(stream.onCredit(60, 1060)).to.equal(60);
    expect(stream.onCredit(60, 1060)).to.equal(0);
    expect(stream.onCredit(20, 900)).to.equal(0);
    expect(stream.peerLimit).to.equal(1060);
    expect(stream.onCredit(100, 0)).to.equal(40);
  });

  it('ends the session for a CREDIT above what was sent, with the FIN and without', () => {
    const stream = sent(newStream(), 100);
    expect(() => stream.onCredit(101, 0))
      .to.throw(SessionError)
      .with.property('code', 4400);
    stream.trySend('finish');
    expect(() => stream.onCredit(101, 0)).to.throw(SessionError);
    stream.finSent = true;
    expect(() => stream.onCredit(102, 0)).to.throw(SessionError);
    expect(stream.onCredit(101, 0)).to.equal(100);
    expect(stream.sendState).to.equal('done');
    expect(stream.onCredit(101, 0)).to.equal(0);
  });

  it('is complete when both FINs took effect and the peer was told', () => {
    const stream = newStream();
    stream.trySend('finish');
    stream.finSent = true;
    stream.onCredit(1, 0);
    stream.onFin(0);
    expect(stream.complete).to.equal(false);
    stream.receive.consume(1);
    stream.tryReceive('drained');
    expect(stream.complete).to.equal(false);
    stream.receive.grant(0, 100, 0, false);
    expect(stream.complete).to.equal(true);
    expect(stream.isReset).to.equal(false);
  });
});
