"""A peer without manners: sends what it is told and looks at every answer."""
import asyncio

import wire
from websocket import BINARY, TEXT, Closed

WAIT_SEC = 10


class Raw:
    """The frames of one WebSocket, one by one. PINGs of the peer are answered and not shown."""

    def __init__(self, ws):
        self.ws, self.waiting = ws, []

    def send(self, *frames):
        """Frames as dicts, or bytes as they are, in one message."""
        self.ws.send(b''.join(f if isinstance(f, bytes) else wire.encode(f) for f in frames))

    def send_text(self, text):
        self.ws.send(text.encode(), TEXT)

    async def next(self):
        while not self.waiting:
            opcode, message = await asyncio.wait_for(self.ws.receive(), WAIT_SEC)
            assert opcode == BINARY, 'a text message'
            for frame in wire.decode(message):
                if frame['type'] == 'PING':
                    self.send({'type': 'PONG', 'nonce': frame['nonce']})
                else:
                    self.waiting.append(frame)
        return self.waiting.pop(0)

    async def expect(self, kind, **members):
        """The next frame is this one."""
        frame = await self.next()
        shown = {name: frame.get(name) for name in ('type', *members)}
        assert shown == {'type': kind, **members}, f'expected {kind} {members}, got {frame}'
        return frame

    async def still_alive(self):
        """A PING is answered, so the session goes on; other frames may come before, and are dropped."""
        nonce = b'alive?!?'
        self.send({'type': 'PING', 'nonce': nonce})
        while await self.next() != {'type': 'PONG', 'nonce': nonce}:
            pass

    async def closed(self, wait_sec=WAIT_SEC):
        """Waits for the end, whatever else comes before; gives its close code."""
        try:
            while True:
                await asyncio.wait_for(self.ws.receive(), wait_sec)
        except Closed as closed:
            return closed.code
