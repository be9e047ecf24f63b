"""Ties a session to a WebSocket on one side and to TCP connections on the other. Hub and agent share it."""
import asyncio
import socket
import struct

from rules import Fault
from websocket import BINARY, Closed

CHUNK = 65_536
# What a stream may hold that is not sent yet: above it, its TCP connection is not read (§5).
MOST_UNSENT = 262_144
TICK_SEC = 0.05
PING_SEC = 10
CLOSE_SEC = 2


class Pipe:
    """One stream and its TCP connection."""

    def __init__(self, link, cid, reader, writer, broken):
        """`broken` is the reason of the RST when the TCP connection is reset."""
        self.link, self.cid, self.broken = link, cid, broken
        self.reader, self.writer = reader, writer
        self.arrived, self.room = asyncio.Queue(), asyncio.Event()
        writer.transport.set_write_buffer_limits(0)  # drain() then waits until all is flushed (§5.7)
        self.tasks = [asyncio.create_task(self._guard(part())) for part in (self._up, self._down)]

    async def _guard(self, part):
        try:
            await part
        except OSError:
            if self.link.pipes.pop(self.cid, None):
                self.link.session.reset(self.cid, self.broken)
                self.link.pump()
                self.end(reset=True)

    async def _up(self):
        session, stream = self.link.session, self.link.session.streams[self.cid]
        while True:
            while stream.unsent >= MOST_UNSENT:
                self.room.clear()
                await self.room.wait()
            data = await self.reader.read(CHUNK)
            if self.cid not in session.streams:
                return
            session.write(self.cid, data) if data else session.finish(self.cid)
            self.link.pump()
            if not data:
                return
            await self.link.drain()

    async def _down(self):
        while True:
            data = await self.arrived.get()
            if data:
                self.writer.write(data)
                await self.writer.drain()
            else:
                self.writer.write_eof()
            if self.cid not in self.link.session.streams:
                return
            self.link.dispatch(self.link.session.consume(self.cid, len(data) or 1))
            if not data:
                return

    def end(self, reset):
        for task in self.tasks:
            if task is not asyncio.current_task():
                task.cancel()
        if reset:
            reset_tcp(self.writer)
        else:
            self.writer.close()


def reset_tcp(writer):
    """Ends a TCP connection with RST (§6.9)."""
    raw = writer.get_extra_info('socket')
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    writer.transport.abort()


class Link:
    def __init__(self, session, on_open=None, note=lambda **event: None):
        """`on_open` takes the cid and the connector of an OPEN; `note` takes what happened, for the test."""
        self.session, self.pipes, self.ws = session, {}, None
        self.on_open, self.note = on_open, note
        self.moved = 0  # bytes of messages, both ways
        self.cuts = []  # cuts the TCP connection each time that `moved` gets to the first of these

    async def run(self, ws):
        """Works until the WebSocket ends. Gives its close code, None when it broke; a fault of the peer closes it."""
        self.ws = ws
        ticking = asyncio.create_task(self._tick())
        self.pump()
        try:
            while True:
                opcode, message = await ws.receive()
                self._count(len(message))
                if opcode != BINARY:
                    raise Fault('§1.5: a text message')
                self.dispatch(self.session.receive(message))
        except Closed as closed:
            return closed.code
        except Fault as fault:
            self.note(event='fault', why=str(fault), code=fault.code)
            ws.close(fault.code, str(fault))
            await self._await_close(ws)
            return fault.code
        finally:
            ticking.cancel()
            self.ws = None

    async def _await_close(self, ws):
        """Reads on to the peer's close frame, and no longer than CLOSE_SEC."""
        try:
            async with asyncio.timeout(CLOSE_SEC):
                while True:
                    await ws.receive()
        except Closed:
            pass
        except TimeoutError:
            ws.cut()

    def dispatch(self, events):
        try:
            for name, cid, *rest in events:
                self._on_event(name, cid, rest)
        finally:
            self.pump()

    def _on_event(self, name, cid, rest):
        pipe = self.pipes.get(cid)
        if name == 'open':
            self.on_open(cid, rest[0])
        elif name == 'data' and pipe:
            pipe.arrived.put_nowait(rest[0])
        elif name == 'fin' and pipe:
            pipe.arrived.put_nowait(b'')
        elif name == 'credit' and pipe:
            pipe.room.set()
        elif name in ('reset', 'fault', 'over'):
            if pipe:
                del self.pipes[cid]
                pipe.end(reset=name != 'over')
            self.note(event=name, cid=cid, reason=rest[0] if rest else None)
        elif name in ('goaway', 'resumed'):
            self.note(event=name, detail=rest)

    def attach(self, cid, reader, writer, broken):
        self.pipes[cid] = Pipe(self, cid, reader, writer, broken)

    def pump(self):
        """Sends what the session has to send, many frames in a message."""
        out = self.session.out
        while out and self.ws:
            parts, size = [], 0
            while out and size + len(out[0]) <= 2 * CHUNK:
                size += len(out[0])
                parts.append(out.popleft())
            self.ws.send(b''.join(parts))
            self._count(size)

    async def drain(self):
        if self.ws:
            await self.ws.drain()

    def end(self, reason):
        """Resets what the session still had."""
        self.dispatch(self.session.end(reason))

    def cut_every(self, size, times):
        """Cuts the TCP connection so many times, each time when `size` more bytes have moved."""
        self.cuts = [self.moved + size * nth for nth in range(1, times + 1)]

    def _count(self, size):
        self.moved += size
        if self.cuts and self.moved >= self.cuts[0] and self.ws:
            self.cuts.pop(0)
            self.note(event='cut', live=len(self.session.streams))
            self.ws.cut()

    async def _tick(self):
        since = 0
        while True:
            await asyncio.sleep(TICK_SEC)
            since += TICK_SEC
            if since >= PING_SEC:
                since = 0
                self.session.ping()
            self.session.tick()
            self.pump()
