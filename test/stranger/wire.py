"""Frames of wire protocol v2 to bytes and back: docs/reference/wire-protocol.md §2 to §4, and nothing else.

A frame is a dict with the members that test/vectors/README.md lists; payload and nonce are bytes here.
"""
import json
import struct

from rules import CONNECTOR, MAX_PAYLOAD, document, is_text, need, offset, text_of

MAX_MESSAGE = 262_144
HEADER = 9

REASONS = (
    'connect_refused', 'connect_timeout', 'dns_failed', 'unreachable', 'unknown_connector',
    'denied', 'no_agent', 'limit', 'idle_timeout', 'reset_by_client',
    'reset_by_target', 'tunnel_lost', 'draining', 'protocol_error', 'internal',
)

# Name, code, least and greatest body, belongs to a stream (None: either), flags that may be set.
_ROWS = (
    ('HELLO', 0x01, 2, 131_072, False, 0),
    ('HELLO_ACK', 0x02, 2, 131_072, False, 0),
    ('OPEN', 0x03, 11, 138, True, 0),
    ('OPENED', 0x04, 8, 8, True, 0),
    ('DATA', 0x05, 9, 8 + MAX_PAYLOAD, True, 0),
    ('FIN', 0x06, 8, 8, True, 0),
    ('CREDIT', 0x07, 16, 16, True, 0),
    ('RST', 0x08, 1, 1, True, 0),
    ('PING', 0x09, 8, 8, False, 0),
    ('PONG', 0x0A, 8, 8, False, 0),
    ('GOAWAY', 0x0B, 6, 6, False, 0),
    ('REAUTH', 0x0C, 1, 16_384, False, 0),
    ('DIAG', 0x0D, 1, 16_384, False, 0),
    ('SYNC', 0x0E, 25, 25, None, 0x03),
)
_BY_CODE = {row[1]: row for row in _ROWS}
_BY_NAME = {row[0]: row for row in _ROWS}


def _name_of(code):
    need(1 <= code <= len(REASONS), '§8.2: no such reason')
    return REASONS[code - 1]


def _open(body):
    window, size = struct.unpack_from('>QB', body)
    need(9 + size < len(body), '§4.3: the lengths do not add up')
    connector, client = body[9:9 + size], body[10 + size:]
    need(body[9 + size] == len(client) <= 64, '§4.3: the lengths do not add up')
    name = text_of(connector)
    need(is_text(name, CONNECTOR), '§4.3: no connector name')
    return {'connector': name, 'client': text_of(client), 'window': offset(window)}


def _sync(flags, body):
    how, received, consumed, limit = struct.unpack('>BQQQ', body)
    return {
        'opened': bool(flags & 1), 'closed': bool(flags & 2), 'reason': _name_of(how) if how else None,
        'received': offset(received), 'consumed': offset(consumed), 'limit': offset(limit),
    }


def _data(body):
    seq = int.from_bytes(body[:8], 'big')
    offset(seq + len(body) - 8)
    return {'seq': seq, 'payload': body[8:]}


_DECODE = {
    'OPEN': _open, 'DATA': _data,
    'OPENED': lambda b: {'window': offset(*struct.unpack('>Q', b))},
    'FIN': lambda b: {'seq': offset(*struct.unpack('>Q', b))},
    'CREDIT': lambda b: dict(zip(('consumed', 'limit'), map(offset, struct.unpack('>QQ', b)))),
    'RST': lambda b: {'reason': _name_of(b[0])},
    'PING': lambda b: {'nonce': b}, 'PONG': lambda b: {'nonce': b},
    'GOAWAY': lambda b: dict(zip(('code', 'grace_ms'), struct.unpack('>HI', b))),
    'REAUTH': lambda b: {'token': text_of(b)}, 'DIAG': lambda b: {'text': text_of(b)},
}


def decode(message, max_payload=MAX_PAYLOAD):
    """Gives the frames of one WebSocket message one by one, so that what comes before a fault counts (§9.2)."""
    at = 0
    while at < len(message):
        need(at + HEADER <= len(message), '§2.2: a message ends inside a frame')
        high, low, code, flags, cid = struct.unpack_from('>BHBBI', message, at)
        length = high << 16 | low
        need(code in _BY_CODE, '§3: no such type')
        kind, _, least, most, of_stream, allowed = _BY_CODE[code]
        most = 8 + max_payload if kind == 'DATA' else most
        need(least <= length <= most, f'§3: length of {kind}')
        need(flags & ~allowed == 0, f'§3: flags of {kind}')
        need(of_stream is None or of_stream == (cid != 0), f'§3: cid of {kind}')
        at += HEADER + length
        need(at <= len(message), '§2.2: a message ends inside a frame')
        body = bytes(message[at - length:at])
        head = {'type': kind} if of_stream is False else {'type': kind, 'cid': cid}
        if kind in ('HELLO', 'HELLO_ACK'):
            yield head | {'document': document(kind, body)}
        else:
            yield head | (_sync(flags, body) if kind == 'SYNC' else _DECODE[kind](body))


def _sync_body(f):
    how = REASONS.index(f['reason']) + 1 if f['reason'] else 0
    return struct.pack('>BQQQ', how, f['received'], f['consumed'], f['limit'])


def _open_body(f):
    connector, client = f['connector'].encode(), f['client'].encode()
    return struct.pack('>QB', f['window'], len(connector)) + connector + bytes([len(client)]) + client


_ENCODE = {
    'HELLO': lambda f: json.dumps(f['document'], separators=(',', ':'), ensure_ascii=False).encode(),
    'OPEN': _open_body, 'SYNC': _sync_body,
    'OPENED': lambda f: struct.pack('>Q', f['window']),
    'DATA': lambda f: struct.pack('>Q', f['seq']) + f['payload'],
    'FIN': lambda f: struct.pack('>Q', f['seq']),
    'CREDIT': lambda f: struct.pack('>QQ', f['consumed'], f['limit']),
    'RST': lambda f: bytes([REASONS.index(f['reason']) + 1]),
    'PING': lambda f: f['nonce'], 'PONG': lambda f: f['nonce'],
    'GOAWAY': lambda f: struct.pack('>HI', f['code'], f['grace_ms']),
    'REAUTH': lambda f: f['token'].encode(), 'DIAG': lambda f: f['text'].encode(),
}
_ENCODE['HELLO_ACK'] = _ENCODE['HELLO']


def encode(frame):
    """The bytes of one frame, header included."""
    kind = frame['type']
    body = _ENCODE[kind](frame)
    flags = frame['opened'] | frame['closed'] << 1 if kind == 'SYNC' else 0
    return len(body).to_bytes(3, 'big') + struct.pack('>BBI', _BY_NAME[kind][1], flags, frame.get('cid', 0)) + body
