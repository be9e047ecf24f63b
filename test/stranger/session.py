"""One side of a session, from §5 to §7 of the page: bytes in, events out, no sockets and no clock.

receive() gives events: tuples of a name, the cid and details. What is to be sent collects in `out`.
"""
from collections import deque

import wire
from rules import Fault, need
from stream import Stream

SIDES = {'hub': 0, 'agent': 1}


class Session:
    def __init__(self, role, mine, theirs):
        """`mine` and `theirs` are the `limits` of the two hellos."""
        self.mine, self.theirs = mine, theirs
        self.role, self.side = role, SIDES[role]
        self.highest = [0, 0]  # the highest cid that hub and agent have used
        self.streams, self.out, self.later = {}, deque(), []
        self.mode = 'live'  # or 'lost' without a link, or 'syncing' until the peer's table is through
        self.ended, self.marks, self.pings = {}, {}, 0  # ends that the peer may not have heard of (§7.4.3)
        self.rows = set()
        self.peak = 0  # the most bytes that were received and not consumed at one time, for the tests

    # Commands.

    def open(self, connector, client=''):
        """Only while the link is up: nothing is opened in a session that is suspended (§7.4.1)."""
        cid = self.highest[self.side] + 2 if self.highest[self.side] else 2 - self.side
        self.highest[self.side] = cid
        self.streams[cid] = Stream(
            cid, True, connector, client, self.mine['window_bytes'], self.theirs['window_bytes']
        )
        self._open(self.streams[cid])
        return cid

    def accept(self, cid):
        """Sends OPENED. Gives the events that waited for it."""
        stream = self.streams[cid]
        stream.answered = True
        self._send(type='OPENED', cid=cid, window=stream.granted)
        self._flush(stream)
        held, stream.held = stream.held, []
        return held

    def write(self, cid, data):
        stream = self.streams[cid]
        stream.kept += data
        self._flush(stream)

    def finish(self, cid):
        self.streams[cid].fin = True
        self._flush(self.streams[cid])

    def consume(self, cid, count):
        """The destination took so many bytes; a FIN counts one. Gives the events of that."""
        stream = self.streams[cid]
        stream.consumed += count
        if stream.fin_consumed or stream.consumed - stream.told >= self.mine['window_bytes'] // 4:
            self._credit(stream)
        return self._over(stream)

    def reset(self, cid, reason):
        self._end(self.streams[cid], reason)
        self._send(type='RST', cid=cid, reason=reason)

    def tick(self):
        """Announces what was consumed and not told yet; to be called every 50 ms or so (§5.8)."""
        for stream in self.streams.values():
            if stream.consumed > stream.told:
                self._credit(stream)

    def ping(self):
        if self.mode != 'live':
            return
        self.pings += 1
        nonce = self.pings.to_bytes(8, 'big')
        self.marks[nonce] = list(self.ended)
        self.out.append(wire.encode({'type': 'PING', 'nonce': nonce}))

    def lost(self):
        """The WebSocket broke. Commands go on to work; what they say is told by the table of the resume."""
        self.mode = 'lost'
        self.out.clear()
        self.later.clear()
        self.marks.clear()

    def end(self, reason):
        """The session is over (§9.1): gives the resets of all streams."""
        self.mode = 'lost'
        self.out.clear()
        cids = list(self.streams)
        self.streams.clear()
        return [('reset', cid, reason) for cid in cids]

    def resume(self):
        """The peer agreed to resume: our table (§7.4.3)."""
        self.mode = 'syncing'
        self.rows.clear()
        for stream in self.streams.values():
            stream.told = stream.consumed
            self._grant(stream)
            self._row(
                stream.cid, stream.answered, received=stream.received, consumed=stream.consumed, limit=stream.granted
            )
        for cid, (opened, reason) in self.ended.items():
            self._row(cid, opened, closed=True, reason=reason)
        self._row(0, received=self.highest[1 - self.side], consumed=len(self.streams) + len(self.ended))

    def receive(self, message):
        """Gives the events of a message. Raises Fault, behind the events of what was right before it (§9.2)."""
        for frame in wire.decode(message, self.mine['max_payload']):
            yield from self._on_frame(frame)

    # What arrives.

    def _on_frame(self, f):
        kind = f['type']
        need(self.mode == 'live' or kind == 'SYNC', f'§7.4.3: {kind} before the end of the table')
        if kind == 'PING':
            self.out.append(wire.encode({'type': 'PONG', 'nonce': f['nonce']}))
        elif kind == 'PONG':
            for cid in self.marks.pop(f['nonce'], ()):
                self.ended.pop(cid, None)
        elif kind == 'GOAWAY':
            yield 'goaway', 0, f['code'], f['grace_ms']
        elif kind == 'REAUTH' and self.role == 'hub':
            yield 'reauth', 0, f['token']
        elif kind == 'SYNC' and self.mode == 'syncing':
            yield from self._on_sync(f)
        elif 'cid' in f and kind != 'SYNC':
            yield from self._on_open(f) if kind == 'OPEN' else self._on_stream(f)
        else:
            raise Fault(f'§3: {kind} is not legal here')

    def _on_open(self, f):
        cid, peer = f['cid'], 1 - self.side
        need(cid % 2 == peer and cid > self.highest[peer], '§6.1: cid of OPEN')
        self.highest[peer] = cid
        stream = Stream(cid, False, f['connector'], f['client'], self.mine['window_bytes'], f['window'])
        refusal = 'denied' if self.role == 'hub' else None
        if len(self.streams) >= self.mine['max_streams']:
            refusal = refusal or 'limit'
        self.streams[cid] = stream
        if refusal:
            self.reset(cid, refusal)
        else:
            yield 'open', cid, f['connector'], f['client']

    def _on_stream(self, f):
        kind, stream = f['type'], self.streams.get(f['cid'])
        if stream is None:
            need(f['cid'] <= self.highest[f['cid'] % 2], f'§6.7: {kind} for a cid that was never opened')
        elif kind == 'RST':
            del self.streams[stream.cid]
            yield 'reset', stream.cid, f['reason']
        elif kind == 'CREDIT':
            yield from self._acknowledge(stream, f)
            yield from self._over(stream)
        elif kind == 'OPENED':
            yield from self._on_opened(stream, f['window'])
        else:
            yield from self._on_bytes(stream, f)

    def _on_opened(self, stream, window):
        if not stream.ours or stream.answered:
            yield self._fault(stream)
            return
        stream.answered = True
        stream.limit = max(stream.limit, window)
        yield 'opened', stream.cid
        self._flush(stream)

    def _on_bytes(self, stream, f):
        payload = f.get('payload', b'')
        early = stream.ours and not stream.answered
        if early or stream.fin_received or f['seq'] != stream.received:
            yield self._fault(stream)
            return
        if payload and f['seq'] + len(payload) > stream.granted:
            raise Fault('§5.6: DATA above the limit', 4413)
        stream.fin_received = f['type'] == 'FIN'
        stream.received += len(payload) or 1
        self.peak = max(self.peak, stream.received - stream.consumed)
        event = ('fin', stream.cid) if stream.fin_received else ('data', stream.cid, payload)
        if stream.answered:
            yield event
        else:
            stream.held.append(event)

    def _acknowledge(self, stream, f):
        need(f['consumed'] <= stream.sent + stream.fin_sent, '§5.5: CREDIT for more than was sent')
        if stream.fin_sent and f['consumed'] > stream.sent:
            stream.fin_acked = True
        done = min(f['consumed'], stream.sent) - stream.acked
        if done > 0:
            del stream.kept[:done]
            stream.acked += done
        stream.limit = max(stream.limit, f['limit'])
        self._flush(stream)
        yield 'credit', stream.cid

    def _on_sync(self, f):
        cid = f['cid']
        if cid == 0:
            need(f['consumed'] == len(self.rows), '§4.14: the rows that the end of the table counts')
            yield from self._on_table_end(f['received'])
            return
        need(cid not in self.rows, '§7.4.3: a cid twice in a table')
        self.rows.add(cid)
        stream = self.streams.get(cid)
        if stream is None:
            return
        if f['closed'] and f['reason']:
            del self.streams[cid]
            yield 'reset', cid, f['reason']
        elif f['closed']:
            if stream.fin_sent and stream.fin_consumed:
                yield from self._acknowledge(stream, {'consumed': stream.sent + 1, 'limit': 0})
                yield from self._over(stream)
            else:
                yield self._fault(stream)
        else:
            yield from self._on_live_row(stream, f)

    def _on_live_row(self, stream, f):
        if f['opened'] and stream.ours and not stream.answered:
            stream.answered = True
            yield 'opened', stream.cid
        acknowledged = stream.acked + stream.fin_acked
        if not acknowledged <= f['consumed'] <= f['received'] <= stream.sent + stream.fin_sent:
            yield self._fault(stream)
            return
        yield from self._acknowledge(stream, f)
        if f['received'] <= stream.sent:
            stream.sent, stream.fin_sent = f['received'], False
        yield from self._over(stream)

    def _on_table_end(self, seen):
        self.mode = 'live'
        for stream in list(self.streams.values()):
            if stream.ours and stream.cid > seen:
                stream.sent = 0
                self._open(stream)
            elif stream.cid not in self.rows:
                del self.streams[stream.cid]
                yield 'reset', stream.cid, 'tunnel_lost'
        for frame in self.later:
            self._send(**frame)
        self.later.clear()
        for stream in list(self.streams.values()):
            if stream.consumed > stream.told:
                self._credit(stream)
            self._flush(stream)
            yield from self._over(stream)
        yield 'resumed', 0

    # What is sent.

    def _send(self, **frame):
        if self.mode == 'live':
            self.out.append(wire.encode(frame))
        elif self.mode == 'syncing':
            self.later.append(frame)

    def _open(self, stream):
        self._send(
            type='OPEN', cid=stream.cid, connector=stream.connector, client=stream.client, window=stream.granted
        )

    def _flush(self, stream):
        if self.mode != 'live' or not (stream.ours or stream.answered):
            return
        while stream.sent < min(stream.written, stream.limit):
            size = min(stream.written, stream.limit, stream.sent + self.theirs['max_payload']) - stream.sent
            start = stream.sent - stream.acked
            payload = bytes(stream.kept[start:start + size])
            self._send(type='DATA', cid=stream.cid, seq=stream.sent, payload=payload)
            stream.sent += size
        if stream.fin and stream.sent == stream.written and not stream.fin_sent:
            stream.fin_sent = True
            self._send(type='FIN', cid=stream.cid, seq=stream.sent)

    def _grant(self, stream):
        if not stream.fin_received:
            stream.granted = max(stream.granted, stream.consumed + self.mine['window_bytes'])

    def _credit(self, stream):
        if self.mode != 'live':
            return
        stream.told = stream.consumed
        self._grant(stream)
        self._send(type='CREDIT', cid=stream.cid, consumed=stream.consumed, limit=stream.granted)

    def _row(self, cid, opened=False, closed=False, reason=None, received=0, consumed=0, limit=0):
        self.out.append(wire.encode({
            'type': 'SYNC', 'cid': cid, 'opened': opened, 'closed': closed, 'reason': reason,
            'received': received, 'consumed': consumed, 'limit': limit,
        }))

    # How streams end.

    def _end(self, stream, reason):
        del self.streams[stream.cid]
        self.ended[stream.cid] = stream.answered, reason

    def _fault(self, stream):
        self.reset(stream.cid, 'protocol_error')
        return 'fault', stream.cid, 'protocol_error'

    def _over(self, stream):
        # Without a link the next table tells it; else the CREDIT for the peer's FIN must be sent first (§6.6).
        told = self.mode == 'lost' or stream.told == stream.consumed
        if stream.cid in self.streams and stream.fin_acked and stream.fin_consumed and told:
            self._end(stream, None)
            return [('over', stream.cid)]
        return []
