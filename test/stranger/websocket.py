"""As much of RFC 6455 as the protocol needs (§1.2, §1.5, §1.6), over asyncio streams, for both sides."""
import asyncio
import base64
import hashlib
import os
import socket
import ssl
import struct
from urllib.parse import urlsplit

MAX_MESSAGE = 262_144
SUBPROTOCOL = 'nowconnect.v2'
_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Refused(Exception):
    """The upgrade was answered with another status than 101."""

    def __init__(self, status):
        super().__init__(f'status {status}')
        self.status = status


class Closed(Exception):
    """The WebSocket ended. `code` is None when the connection just broke."""

    def __init__(self, code=None, reason=''):
        super().__init__(f'closed with {code} {reason}')
        self.code = code


def _accept_of(key):
    return base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()


async def _read_head(reader):
    """First line and headers (names in lower case) of an HTTP message."""
    first, *lines = (await reader.readuntil(b'\r\n\r\n')).decode('latin-1').split('\r\n')
    headers = dict(line.split(':', 1) for line in lines if line)
    return first, {name.lower(): value.strip() for name, value in headers.items()}


async def connect(url, token, ca_file=None):
    """The agent's side of §1.2. Raises Refused, or Closed when there is no hub."""
    parts = urlsplit(url)
    trust = ssl.create_default_context(cafile=ca_file) if parts.scheme == 'wss' else None
    try:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, ssl=trust)
    except ConnectionError as error:
        raise Closed(None, str(error)) from None
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        f'GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'
        f'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n'
        f'Authorization: Bearer {token}\r\n\r\n'.encode()
    )
    first, headers = await _read_head(reader)
    status = int(first.split(' ')[1])
    right = headers.get('sec-websocket-accept') == _accept_of(key)
    if status != 101 or not right or headers.get('sec-websocket-protocol') != SUBPROTOCOL:
        writer.close()
        raise Refused(status)
    if 'sec-websocket-extensions' in headers:
        raise AssertionError('§1.2: the hub accepted an extension')
    return WebSocket(reader, writer, masks=True)


async def accept(reader, writer):
    """The hub's side: gives the request's headers and the WebSocket."""
    first, headers = await _read_head(reader)
    headers[':request'] = first
    writer.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'
        f'Sec-WebSocket-Accept: {_accept_of(headers["sec-websocket-key"])}\r\n'
        f'Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n'.encode()
    )
    return headers, WebSocket(reader, writer, masks=False)


def _masked(data, mask):
    repeated = (mask * (len(data) // 4 + 1))[:len(data)]
    return (int.from_bytes(data, 'big') ^ int.from_bytes(repeated, 'big')).to_bytes(len(data), 'big')


class WebSocket:
    def __init__(self, reader, writer, masks):
        self._reader, self._writer, self._masks = reader, writer, masks
        self.closing = False

    async def receive(self):
        """The next message: its opcode and its bytes. Raises Closed."""
        opcode, parts = None, []
        while True:
            try:
                final, code, data = await self._frame()
            except (asyncio.IncompleteReadError, OSError):
                self.cut()
                raise Closed from None
            if code == CLOSE:
                self._ended(data)
            elif code == PING:
                self._write(PONG, data)
            elif code != PONG:
                opcode = opcode or code
                parts.append(data)
                if final:
                    return opcode, b''.join(parts)

    def send(self, data, opcode=BINARY):
        if not self.closing:
            self._write(opcode, data)

    async def drain(self):
        try:
            await self._writer.drain()
        except OSError:
            pass  # receive() tells it.

    def close(self, code, reason=''):
        self.send(struct.pack('>H', code) + reason.encode(), CLOSE)
        self.closing = True

    def cut(self):
        """Ends the TCP connection with a reset; what is on its way is lost."""
        self.closing = True
        if self._writer.transport.is_closing():
            return
        raw = self._writer.get_extra_info('socket')
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self._writer.transport.abort()

    def _ended(self, data):
        code = struct.unpack('>H', data[:2])[0] if data else 1005
        if not self.closing:
            self._write(CLOSE, data[:2])
        self.closing = True
        self._writer.close()
        raise Closed(code, data[2:].decode('utf-8', 'replace'))

    async def _frame(self):
        first, second = await self._reader.readexactly(2)
        size = second & 0x7F
        if size > 125:
            size = int.from_bytes(await self._reader.readexactly(2 if size == 126 else 8), 'big')
        if size > MAX_MESSAGE or first & 0x70 or bool(second & 0x80) == self._masks:
            raise AssertionError(f'RFC 6455 or §1.6 does not allow this frame: {first:#x} {second:#x} {size}')
        mask = await self._reader.readexactly(4) if second & 0x80 else None
        data = await self._reader.readexactly(size)
        return bool(first & 0x80), first & 0x0F, _masked(data, mask) if mask else data

    def _write(self, opcode, data):
        bit = 0x80 if self._masks else 0
        if len(data) < 126:
            head = bytes([0x80 | opcode, bit | len(data)])
        elif len(data) < 65_536:
            head = bytes([0x80 | opcode, bit | 126]) + struct.pack('>H', len(data))
        else:
            head = bytes([0x80 | opcode, bit | 127]) + struct.pack('>Q', len(data))
        if self._masks:
            mask = os.urandom(4)
            head, data = head + mask, _masked(data, mask)
        self._writer.write(head + data)
