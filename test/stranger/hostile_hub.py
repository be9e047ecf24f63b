"""What no hub should do, done to real agents. The answers are those of the page."""
import asyncio

import wire
from hub import LIMITS, Hub, main

PING = {'type': 'PING', 'nonce': b'12345678'}
MOST_ABOVE = 64 * 1024 * 1024


def open_(cid, connector, client=''):
    return {'type': 'OPEN', 'cid': cid, 'connector': connector, 'client': client, 'window': 65_536}


def data(cid, seq, payload):
    return {'type': 'DATA', 'cid': cid, 'seq': seq, 'payload': payload}


class HostileHub(Hub):
    """Each order that ends a session gives the close code of the agent, which then comes again by itself."""

    async def refusals(self, names, client):
        """How an agent answers OPENs for these names."""
        raw = await self.take()
        answers = []
        for number, name in enumerate(names, 1):
            raw.send(open_(2 * number, name, client))
            answer = await raw.next()
            answers.append(answer.get('reason', answer['type']))
        await raw.still_alive()
        raw.ws.close(1000)
        await raw.closed()
        return answers

    async def faults(self, connector):
        """Faults of one stream (§6.5), one after the other in one session: what each is answered with."""
        raw = await self.take()
        cases = {
            'a gap': (data(2, 1, b'x'),),
            'DATA twice': (data(4, 0, b'x'), data(4, 0, b'x')),
            'DATA after FIN': ({'type': 'FIN', 'cid': 6, 'seq': 0}, data(6, 1, b'x')),
            'a FIN too early': (data(8, 0, b'x'), {'type': 'FIN', 'cid': 8, 'seq': 0}),
            'a gap that reaches above the limit': (data(10, 2**40, b'x'),),
            'OPENED from the opener': ({'type': 'OPENED', 'cid': 12, 'window': 1},),
        }
        answers = {}
        for cid, (case, frames) in zip(range(2, 14, 2), cases.items()):
            raw.send(open_(cid, connector), *frames)
            while (answer := await raw.next())['type'] != 'RST':
                pass
            answers[case] = [answer['cid'] == cid, answer['reason']]
            # What is late is ignored (§6.7).
            raw.send(data(cid, 9, b'late'), {'type': 'CREDIT', 'cid': cid, 'consumed': 0, 'limit': 1})
        raw.send(open_(14, connector), data(14, 0, b'and a good one\n'))
        await raw.expect('OPENED', cid=14)
        while (answer := await raw.next())['type'] != 'DATA':
            pass
        answers['a good one'] = answer['payload'].decode()
        raw.ws.close(1000)
        await raw.closed()
        return answers

    async def code_for(self, *what):
        raw = await self.take()
        raw.send(*what)
        return await raw.closed()

    async def fatal(self, connector):
        """What ends the session, and with which code."""
        ack = bytes.fromhex('000002020000000000') + b'{}'
        opened, rst = open_(2, connector), {'type': 'RST', 'cid': 2, 'reason': 'internal'}
        credit = {'type': 'CREDIT', 'cid': 2, 'consumed': 9, 'limit': 9}
        codes = {
            'DATA for a cid never opened': await self.code_for(data(2, 0, b'x')),
            'OPEN with an odd cid': await self.code_for(open_(1, connector)),
            'OPEN with a cid used before': await self.code_for(opened, rst, opened),
            'CREDIT for more than was sent': await self.code_for(opened, credit),
            'REAUTH from a hub': await self.code_for({'type': 'REAUTH', 'token': 'x'}),
            'HELLO_ACK twice': await self.code_for(ack),
            'a message that ends inside a frame': await self.code_for(wire.encode(PING)[:-1]),
        }
        raw = await self.take()
        raw.send_text('hello')
        codes['text'] = await raw.closed()
        return codes

    async def handshake(self):
        """What is no HELLO_ACK."""
        raw, _ = await self.next_agent()
        raw.send(PING)
        codes = {'another frame first': await raw.closed()}
        raw, hello = await self.next_agent()
        self.acknowledge(raw, hello, 'a.b', False, features=())
        codes['a session_id out of its form'] = await raw.closed()
        return codes

    async def silence(self):
        """No HELLO_ACK at all: the close code, and whether 5 s had passed."""
        raw, _ = await self.next_agent()
        begun = asyncio.get_running_loop().time()
        code = await raw.closed(wait_sec=30)
        return {'code': code, 'patient': asyncio.get_running_loop().time() - begun >= 4.9}

    async def above_credit(self, connector):
        """DATA without regard to the limit, for a target that never reads."""
        raw = await self.take()
        raw.send(open_(2, connector))
        closed, sent = asyncio.create_task(raw.closed()), 0
        while not closed.done() and sent < MOST_ABOVE:
            raw.send(data(2, sent, bytes(65_536)))
            sent += 65_536
            await raw.ws.drain()
            await asyncio.sleep(0)
        return {'code': await closed, 'stopped': sent < MOST_ABOVE}

    async def obeys_limit(self, connector, window):
        """An echo for which this hub grants `window` bytes and no more: how many come within half a second."""
        raw = await self.take(limits=LIMITS | {'max_payload': 1024})
        sent = 4 * window
        raw.send(open_(2, connector) | {'window': window}, data(2, 0, bytes(sent)))
        seen, largest = 0, 0
        try:
            while True:
                frame = await asyncio.wait_for(raw.next(), 0.5)
                if frame['type'] == 'DATA':
                    seen, largest = seen + len(frame['payload']), max(largest, len(frame['payload']))
        except TimeoutError:
            pass
        raw.ws.close(1000)
        await raw.closed()
        return {'seen': seen, 'largest': largest}

    async def too_many(self, connector, count):
        """So many OPENs at once: how many are answered how."""
        raw = await self.take()
        raw.send(*(open_(2 * number, connector) for number in range(1, count + 1)))
        answers = [await raw.next() for _ in range(count)]
        raw.ws.close(1000)
        await raw.closed()
        kinds = [answer.get('reason', answer['type']) for answer in answers]
        return {kind: kinds.count(kind) for kind in kinds}


    def orders(self):
        names = ('refusals', 'faults', 'fatal', 'handshake', 'silence', 'above_credit', 'obeys_limit', 'too_many')
        return {name: getattr(self, name) for name in names}


if __name__ == '__main__':
    asyncio.run(main(HostileHub()))
