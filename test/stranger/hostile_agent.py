"""What no agent should do, done to a real hub. The answers are those of the page and of test/vectors/invalid.json.

  hostile_agent.py --url URL --ca FILE --agent-id ID --token-file FILE
"""
import argparse
import asyncio
from pathlib import Path

import wire
from control import obey
from raw import Raw
from vector_values import joined
from vectors import load
from websocket import Refused, connect

HUB_LIMIT = 262_144


class HostileAgent:
    def __init__(self, options):
        self.options = options
        self.token = Path(options.token_file).read_text('ascii').strip()

    async def connect(self, **other):
        asked = {'url': self.options.url, 'token': self.token, 'ca_file': self.options.ca} | other
        return Raw(await connect(**asked))

    def hello(self, **other):
        limits = {'window_bytes': 65_536, 'max_streams': 16, 'max_payload': 65_536}
        document = {
            'protocol': 2, 'agent_id': self.options.agent_id, 'boot_id': 'hostile', 'version': 'stranger-1',
            'features': [], 'connectors': [], 'limits': limits,
        }
        return {'type': 'HELLO', 'document': document | other}

    async def session(self, **other):
        raw = await self.connect()
        raw.send(self.hello(**other))
        await raw.expect('HELLO_ACK')
        return raw

    async def code_for(self, *what, established=True):
        raw = await (self.session() if established else self.connect())
        raw.send(*what)
        return await raw.closed()

    async def invalid_vectors(self):
        """Each vector in a session; those of HELLO as the first frame, where they matter."""
        run, wrong = 0, []
        for vector in load('invalid'):
            if 'max_payload' in vector:
                continue  # Of a receiver that is configured so; this hub is not.
            data = bytes.fromhex(joined(vector['hex']))
            code = await self.code_for(data[:HUB_LIMIT], established=not vector['name'].startswith('HELLO '))
            run += 1
            if code != vector['close']:
                wrong.append([vector['name'], code])
        return {'run': run, 'wrong': wrong}

    async def upgrades(self):
        """The status of upgrades that are refused (§1.3)."""
        async def status(**other):
            try:
                await self.connect(**other)
            except Refused as refused:
                return refused.status
            return 101

        return {
            'a bad token': await status(token='e30.e30.e30'),
            'another path': await status(url=self.options.url + '-other'),
        }

    async def handshakes(self):
        """The close codes of §7.1."""
        ping = {'type': 'PING', 'nonce': b'\0' * 8}
        codes = {
            'another agent_id': await self.code_for(self.hello(agent_id='site-z'), established=False),
            'another frame first': await self.code_for(ping, established=False),
            'a second HELLO': await self.code_for(self.hello()),
        }
        older = await self.session()
        await self.session()
        codes['a newer session'] = await older.closed()
        return codes

    async def silence(self):
        """No HELLO at all."""
        return await self.code_for(established=False)

    async def messages(self):
        """What is wrong with a message, or with a frame where it stands."""
        raw = await self.session()
        raw.send_text('hello')
        ping = wire.encode({'type': 'PING', 'nonce': b'12345678'})
        open_ = {'type': 'OPEN', 'connector': 'db', 'client': '', 'window': 0}
        sync = {'type': 'SYNC', 'opened': False, 'closed': False, 'reason': None, 'cid': 0}
        return {
            'text': await raw.closed(),
            'longer than 262144 bytes': await self.code_for(ping * (HUB_LIMIT // len(ping)) + ping),
            'ends inside a frame': await self.code_for(ping[:-1]),
            'DATA for a cid never opened': await self.code_for({'type': 'DATA', 'cid': 2, 'seq': 0, 'payload': b'x'}),
            'OPEN with an even cid': await self.code_for(open_ | {'cid': 2}),
            'DIAG': await self.code_for({'type': 'DIAG', 'text': 'x'}),
            'SYNC': await self.code_for(sync | {'received': 0, 'consumed': 0, 'limit': 0}),
            'HELLO_ACK': await self.code_for(bytes.fromhex('000002020000000000') + b'{}'),
        }

    async def borne(self):
        """What a hub must bear (§9.3), and the longest message (§1.6)."""
        raw = await self.session()
        open_ = {'type': 'OPEN', 'cid': 1, 'connector': 'db', 'client': '', 'window': 0}
        raw.send(open_)
        await raw.expect('RST', cid=1, reason='denied')
        late = wire.encode({'type': 'FIN', 'cid': 1, 'seq': 0})
        in_one = HUB_LIMIT // len(late)
        for _ in range(200_000 // in_one):
            raw.send(late * in_one)
        raw.send(late * (200_000 % in_one))
        # 199 and the one of still_alive.
        raw.send(wire.encode({'type': 'PING', 'nonce': b'\0' * 8}) * 199)
        await raw.still_alive()
        raw.ws.close(1000)
        return await raw.closed()

    def orders(self):
        names = ('invalid_vectors', 'upgrades', 'handshakes', 'messages', 'borne', 'silence')
        return {name: getattr(self, name) for name in names}


async def main(hostile):
    parser = argparse.ArgumentParser()
    for name in ('--url', '--ca', '--agent-id', '--token-file'):
        parser.add_argument(name)
    await obey(hostile(parser.parse_args()).orders())


if __name__ == '__main__':
    asyncio.run(main(HostileAgent))
