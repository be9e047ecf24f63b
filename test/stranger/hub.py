"""A minimal hub, written from docs/reference/wire-protocol.md alone: plain WebSocket on loopback, any token, one agent.

It tells the port for agents and obeys orders (control.py): `listen` opens a port for clients of a connector, `serve`
takes the next agent that comes. hostile_hub.py has the orders without manners.
"""
import asyncio
import secrets

import wire
from control import obey, tell
from link import Link, reset_tcp
from raw import WAIT_SEC, Raw
from session import Session
from websocket import Closed, accept

LIMITS = {'window_bytes': 262_144, 'max_streams': 4096, 'max_payload': 65_536}


class Hub:
    def __init__(self):
        self.coming, self.servers = asyncio.Queue(), []
        self.link, self.working = None, None
        self.known = {}  # session id to what a resume needs
        self.asked = []  # the HELLOs, for the test

    async def start(self):
        tell(event='listening', port=await self._listen(self._on_agent))

    async def listen(self, connector):
        """A port for clients of this connector."""
        return await self._listen(lambda reader, writer: self._on_client(connector, reader, writer))

    async def _listen(self, serve):
        server = await asyncio.start_server(serve, '127.0.0.1', 0, limit=262_144)
        self.servers.append(server)
        return server.sockets[0].getsockname()[1]

    async def _on_agent(self, reader, writer):
        try:
            headers, ws = await accept(reader, writer)
            raw = Raw(ws)
            hello = await raw.expect('HELLO')
        except (Closed, asyncio.IncompleteReadError):
            return
        self.asked.append({'upgrade': headers, 'hello': hello['document']})
        # An agent says nothing before HELLO_ACK (§7.1): what comes all the same is the end of one that waited too long.
        early = asyncio.create_task(ws.receive())
        early.add_done_callback(lambda task: task.cancelled() or task.exception())
        await self.coming.put((raw, hello['document'], early))

    async def next_agent(self):
        """The next agent that is still there."""
        while True:
            raw, hello, early = await asyncio.wait_for(self.coming.get(), WAIT_SEC)
            if not early.done():
                early.cancel()
                return raw, hello

    def acknowledge(self, raw, hello, session_id, resumed, limits=LIMITS, features=('resume',)):
        document = {
            'protocol': 2, 'session_id': session_id, 'hub_id': 'stranger', 'version': 'stranger-1',
            'features': list(features), 'connectors': hello['connectors'], 'limits': limits, 'resumed': resumed,
        }
        if 'resume' in features:
            document['resume'] = {'token': secrets.token_hex(16), 'grace_ms': 30_000}
        raw.send({'type': 'HELLO_ACK', 'document': document})
        return document

    async def take(self, **other):
        """A fresh session with the next agent, its frames bare."""
        raw, hello = await self.next_agent()
        self.acknowledge(raw, hello, secrets.token_hex(8), False, **({'features': ()} | other))
        return raw

    async def serve(self):
        """Serves the next agent; goes on with its session when that is what it asks for."""
        raw, hello = await self.next_agent()
        asked = hello.get('resume', {})
        link, token = self.known.get(asked.get('session_id'), (None, None))
        resumed = link is not None and token == asked['token']
        session_id = asked['session_id'] if resumed else secrets.token_hex(8)
        ack = self.acknowledge(raw, hello, session_id, resumed)
        if resumed:
            link.session.resume()
        else:
            link = Link(Session('hub', LIMITS, hello['limits']), note=tell)
        self.known = {session_id: (link, ack['resume']['token'])}
        self.link = link
        self.working = asyncio.create_task(self._work(link, raw.ws))
        return resumed

    async def _work(self, link, ws):
        code = await link.run(ws)
        tell(event='closed', code=code)
        if code is None:
            link.session.lost()
        else:
            link.end('tunnel_lost')
        return code

    async def _on_client(self, connector, reader, writer):
        if self.link is None or self.link.session.mode != 'live':
            reset_tcp(writer)
            return
        host, port = writer.get_extra_info('peername')
        cid = self.link.session.open(connector, f'{host}:{port}')
        self.link.attach(cid, reader, writer, 'reset_by_client')
        self.link.pump()

    # Orders of the test, besides listen() and serve().

    async def cut(self, every, times):
        """Cuts the TCP connection of the agent each time when so many more bytes were moved."""
        self.link.cut_every(every, times)

    async def asked_last(self):
        """The last upgrade and HELLO."""
        return self.asked[-1]

    async def goaway(self):
        """Sends GOAWAY and serves the connection that comes for it, beside the old one."""
        (session_id,) = self.known
        self.link.ws.send(wire.encode({'type': 'GOAWAY', 'code': 1000, 'grace_ms': 10_000}))
        resumed = await self.serve()
        return {'overlaps': self.asked[-1]['hello'].get('overlaps') == session_id, 'resumed': resumed}

    def orders(self):
        return {name: getattr(self, name) for name in ('listen', 'serve', 'cut', 'asked_last', 'goaway')}


async def main(hub):
    await hub.start()
    await obey(hub.orders())


if __name__ == '__main__':
    asyncio.run(main(Hub()))
