"""A minimal agent, written from docs/reference/wire-protocol.md alone.

  agent.py --url URL --ca FILE --agent-id ID --token-file FILE --target NAME=PORT …

It takes commands on its input (control.py) and tells what happens on its output.
"""
import argparse
import asyncio
import random
import secrets
from pathlib import Path

import wire
from control import obey, tell
from link import Link, reset_tcp
from rules import Fault
from session import Session
from websocket import BINARY, Closed, Refused, connect

HANDSHAKE_SEC = 5
# §9.1: what ends a session; any other end only suspends it.
ENDING = {1000, 4400, 4401, 4403, 4408, 4409, 4413, 4429, 4503}


class Agent:
    def __init__(self, options):
        self.options = options
        self.targets = {name: int(port) for name, port in (target.split('=') for target in options.target)}
        self.boot_id = secrets.token_hex(16)
        self.limits = {
            'window_bytes': options.window, 'max_streams': options.max_streams, 'max_payload': options.max_payload
        }
        self.link, self.ack, self.ws = None, None, None
        self.here = asyncio.Event()  # not set: stays away from the hub
        self.here.set()
        self.cut_in_handshake = 0
        self.resumes, self.peak = 0, 0

    async def run(self):
        failures = 0
        while True:
            await self.here.wait()
            try:
                self.ws, ack, rest = await asyncio.wait_for(self.shake_hands(), HANDSHAKE_SEC)
            except (Refused, Closed, Fault, TimeoutError) as error:
                tell(event='failed', why=str(error))
                # §1.3: full jitter.
                await asyncio.sleep(random.uniform(0, min(30, 0.5 * 2**failures)))
                failures += 1
                continue
            failures = 0
            self.begin(ack)
            self.link.dispatch(self.link.session.receive(rest))
            code = await self.link.run(self.ws)
            self.peak = max(self.peak, self.link.session.peak)
            tell(event='closed', code=code)
            if code not in ENDING and 'resume' in self.ack and 'resume' in self.ack['features']:
                self.link.session.lost()
            else:
                self.link.end('draining' if code == 4503 else 'tunnel_lost')
                self.ack = self.link = None

    async def shake_hands(self):
        """Gives the WebSocket, the HELLO_ACK and the frames that came in its message."""
        token = Path(self.options.token_file).read_text('ascii').strip()
        ws = await connect(self.options.url, token, self.options.ca)
        hello = {
            'protocol': 2, 'agent_id': self.options.agent_id, 'boot_id': self.boot_id, 'version': 'stranger-1',
            'features': self.options.feature, 'connectors': list(self.targets), 'limits': self.limits,
        }
        if self.ack:
            hello['resume'] = {'session_id': self.ack['session_id'], 'token': self.ack['resume']['token']}
        ws.send(wire.encode({'type': 'HELLO', 'document': hello}))
        await ws.drain()
        if self.cut_in_handshake:
            self.cut_in_handshake -= 1
            # The hub has taken the HELLO when its answer is here; this agent acts as if the answer was lost.
            await ws.receive()
            ws.cut()
            raise Closed(None, 'cut in the handshake')
        opcode, message = await ws.receive()
        frames = wire.decode(message)
        first = next(frames, {'type': 'nothing'})
        if opcode != BINARY or first['type'] != 'HELLO_ACK':
            ws.close(4400)
            raise Fault('§7.1: no HELLO_ACK')
        size = wire.HEADER + int.from_bytes(message[:3], 'big')
        return ws, first['document'], message[size:]

    def begin(self, ack):
        """Goes on with the session that the hub named, or begins a fresh one."""
        if ack['resumed']:
            self.resumes += 1
            self.link.session.resume()
        else:
            if self.link:
                self.link.end('tunnel_lost')
            self.link = Link(Session('agent', self.limits, ack['limits']), self.on_open, tell)
        self.ack = ack
        told = {name: ack[name] for name in ('session_id', 'resumed', 'connectors', 'features')}
        tell(event='connected', grace_ms=ack.get('resume', {}).get('grace_ms'), **told)

    def on_open(self, cid, connector):
        # §6.10: looked up in the own list, nowhere else.
        if connector in self.targets:
            asyncio.ensure_future(self.dial(self.link, cid, self.targets[connector]))
        else:
            self.link.session.reset(cid, 'unknown_connector')

    async def dial(self, link, cid, port):
        try:
            reader, writer = await asyncio.open_connection('127.0.0.1', port, limit=262_144)
        except OSError:
            if cid in link.session.streams:
                link.session.reset(cid, 'connect_refused')
                link.pump()
            return
        if cid not in link.session.streams:
            reset_tcp(writer)
            return
        held = link.session.accept(cid)
        link.attach(cid, reader, writer, 'reset_by_target')
        link.dispatch(held)

    # Commands of the test.

    async def cut(self, every, times):
        """Cuts the own TCP connection to the hub each time when so many more bytes were moved."""
        self.link.cut_every(every, times)

    async def leave(self):
        """Cuts the own TCP connection to the hub and stays away."""
        self.here.clear()
        self.ws.cut()

    async def come_back(self):
        self.here.set()

    async def cut_handshakes(self, count):
        self.cut_in_handshake = count

    async def stats(self):
        session = self.link.session
        return {'live': len(session.streams), 'resumes': self.resumes, 'peak': max(self.peak, session.peak)}

    async def reauth(self, file):
        token = Path(file).read_text('ascii').strip()
        self.ws.send(wire.encode({'type': 'REAUTH', 'token': token}))


async def main():
    parser = argparse.ArgumentParser()
    for name in ('--url', '--ca', '--agent-id', '--token-file'):
        parser.add_argument(name)
    parser.add_argument('--target', action='append', default=[])
    parser.add_argument('--feature', action='append', default=[])
    for name, value in (('--window', 262_144), ('--max-streams', 4096), ('--max-payload', 65_536)):
        parser.add_argument(name, type=int, default=value)
    agent = Agent(parser.parse_args())
    working = asyncio.create_task(agent.run())
    names = ('cut', 'leave', 'come_back', 'cut_handshakes', 'stats', 'reauth')
    obeying = asyncio.create_task(obey({name: getattr(agent, name) for name in names}))
    done, _ = await asyncio.wait((working, obeying), return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


if __name__ == '__main__':
    asyncio.run(main())
