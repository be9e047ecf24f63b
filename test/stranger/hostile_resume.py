"""Resumes of a real hub's session, with tables that are right and wrong (§7.4), each on a session of its own.

  hostile_resume.py --url URL --ca FILE --agent-id ID --token-file FILE
"""
import asyncio

from hostile_agent import HostileAgent, main
from raw import WAIT_SEC
from websocket import Closed

EARLY, ANSWER = b'0123456789', b'abcd'
# What the agent would say of the one stream: it has EARLY, its target has taken nothing of it yet.
RIGHT = {'opened': True, 'received': len(EARLY), 'limit': 65_536}
PING = {'type': 'PING', 'nonce': b'12345678'}


def row(cid, **other):
    zero = {'opened': False, 'closed': False, 'reason': None, 'received': 0, 'consumed': 0, 'limit': 0}
    return {'type': 'SYNC', 'cid': cid} | zero | other


class HostileResume(HostileAgent):
    async def broken(self, port, connector):
        """A session with one stream, whose link was cut: its HELLO_ACK, the cid, and the client's reader and writer."""
        raw = await self.connect()
        raw.send(self.hello(features=['resume'], connectors=[connector]))
        ack = (await raw.expect('HELLO_ACK'))['document']
        reader, writer = await asyncio.open_connection('127.0.0.1', port)
        writer.write(EARLY)
        cid = (await raw.expect('OPEN'))['cid']
        raw.send({'type': 'OPENED', 'cid': cid, 'window': 65_536})
        await raw.expect('DATA', cid=cid, payload=EARLY)
        raw.send({'type': 'DATA', 'cid': cid, 'seq': 0, 'payload': ANSWER})
        assert await reader.readexactly(len(ANSWER)) == ANSWER
        raw.ws.cut()
        return ack, cid, reader, writer

    async def again(self, ack, connector, **other):
        """Comes back for the session of `ack`: the frames and the new HELLO_ACK."""
        raw = await self.connect()
        shown = {'session_id': ack['session_id'], 'token': ack['resume']['token']}
        raw.send(self.hello(**{'features': ['resume'], 'connectors': [connector], 'resume': shown} | other))
        return raw, (await raw.expect('HELLO_ACK'))['document']

    async def told(self, port, connector, make_rows):
        """What the hub says behind its own table when the agent's is this, and what becomes of the client."""
        ack, cid, reader, writer = await self.broken(port, connector)
        raw, again = await self.again(ack, connector)
        assert again['resumed'] and again['session_id'] == ack['session_id']
        await raw.expect('SYNC', cid=cid, opened=True, closed=False, received=len(ANSWER))
        await raw.expect('SYNC', cid=0, received=0, consumed=1)
        raw.send(*make_rows(cid))
        raw.send(PING)
        try:
            frame = await raw.next()
            if frame['type'] in ('PONG', 'DATA'):
                # It goes on. Which of the two comes first is free; the replay is looked at below.
                raw.waiting.insert(0, frame)
                frame = {'type': 'goes on'}
            answer = ' '.join(str(frame[name]) for name in ('type', 'reason', 'seq') if name in frame)
        except Closed as closed:
            answer = closed.code
        fate = await self.fate(raw, reader, writer)
        writer.close()
        raw.ws.close(1000)
        return [answer, fate]

    async def fate(self, raw, reader, writer):
        """What becomes of a client that goes on: what comes of it through the tunnel, or that it is reset."""
        writer.write(b'more')
        through, back = asyncio.create_task(self.through(raw)), asyncio.create_task(reader.read(1))
        done, _ = await asyncio.wait((through, back), timeout=WAIT_SEC, return_when=asyncio.FIRST_COMPLETED)
        through.cancel()
        back.cancel()
        if back in done and isinstance(back.exception(), ConnectionResetError):
            return 'reset'
        return through.result() if through in done else 'neither'

    async def through(self, raw):
        """What comes up to `more`, the replay included; when the session ends instead, this never ends."""
        text = ''
        try:
            while not text.endswith('more'):
                text += (await raw.next()).get('payload', b'').decode()
        except Closed:
            await asyncio.Event().wait()
        return text

    async def tables(self, port, connector):
        cases = {
            'right': lambda c: (row(c, **RIGHT), row(0, consumed=1, received=c)),
            'a wrong count': lambda c: (row(c, **RIGHT), row(0, consumed=0, received=c)),
            'a cid twice': lambda c: (row(c, **RIGHT), row(c, **RIGHT), row(0, consumed=2, received=c)),
            'a frame before the end': lambda c: (row(c, **RIGHT), PING, row(0, consumed=1, received=c)),
            'SYNC behind the end': lambda c: (row(c, **RIGHT), row(0, consumed=1, received=c), row(c, **RIGHT)),
            'a row for a cid of nobody': lambda c: (
                row(c, **RIGHT), row(c + 8, **RIGHT), row(0, consumed=2, received=c)
            ),
            'received above what was sent': lambda c: (
                row(c, **RIGHT | {'received': len(EARLY) + 1}), row(0, consumed=1, received=c)
            ),
            'consumed above received': lambda c: (
                row(c, **RIGHT | {'received': 1, 'consumed': 2}), row(0, consumed=1, received=c)
            ),
            'four bytes got lost': lambda c: (
                row(c, **RIGHT | {'received': len(EARLY) - 4}), row(0, consumed=1, received=c)
            ),
            'ended in good order, but it did not': lambda c: (
                row(c, opened=True, closed=True), row(0, consumed=1, received=c)
            ),
            'reset': lambda c: (
                row(c, opened=True, closed=True, reason='reset_by_target'), row(0, consumed=1, received=c)
            ),
            'no row': lambda c: (row(0, consumed=0, received=c),),
            'no OPEN has come': lambda c: (row(0, consumed=0, received=0),),
        }
        return {case: await self.told(port, connector, rows) for case, rows in cases.items()}

    async def refused(self, port, connector):
        """Whether the hub resumes for somebody who is not quite the agent of the session."""
        async def resumed(**other):
            ack, *_ = await self.broken(port, connector)
            shown = {'session_id': ack['session_id'], 'token': ack['resume']['token']}
            if 'shown' in other:
                other['resume'] = shown | other.pop('shown')
            raw, again = await self.again(ack, connector, **other)
            raw.ws.close(1000)
            return again['resumed']

        return {
            'as it should be': await resumed(),
            'another boot_id': await resumed(boot_id='other'),
            'another token': await resumed(shown={'token': 'other'}),
            'another session': await resumed(shown={'session_id': 'other'}),
        }

    async def old_tokens(self, port, connector):
        """The token that was shown is good until the hub has the whole table, and no longer."""
        first, cid, *_ = await self.broken(port, connector)
        raw, _ = await self.again(first, connector)
        raw.ws.cut()
        raw, second = await self.again(first, connector)
        raw.send(row(cid, **RIGHT), row(0, consumed=1, received=cid))
        await raw.still_alive()
        raw.ws.cut()
        raw, third = await self.again(first, connector)
        raw.ws.close(1000)
        return {'before the table': second['resumed'], 'after the table': third['resumed']}

    def orders(self):
        return {name: getattr(self, name) for name in ('tables', 'refused', 'old_tokens')}


if __name__ == '__main__':
    asyncio.run(main(HostileResume))
