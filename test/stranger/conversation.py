"""Runs one conversation of test/vectors/sessions.json against session.py."""
import wire
from rules import Fault
from session import Session
from vector_values import frame_of, joined


class Conversation:
    def __init__(self, vector):
        self.session = Session(vector['role'], vector['limits'], vector['peer_limits'])
        self.delivered, self.ends, self.credits, self.sent, self.close = {}, set(), {}, [], None

    def act(self, do, value):
        """Executes a step that does something; False when it is none of those."""
        session = self.session
        acts = {
            'receive': lambda: self._receive(value),
            'open': lambda: session.open(value),
            'accept': lambda: self._note(session.accept(value)),
            'write': lambda: session.write(value[0], bytes.fromhex(joined(value[1]))),
            'finish': lambda: session.finish(value),
            'consume': lambda: self._note(session.consume(*value)),
            'reset': lambda: session.reset(*value),
        }
        if do in acts:
            acts[do]()
        return do in acts

    def holds(self, do, value):
        """Whether what a step asserts is so. What a stream holds for its target until OPENED counts as delivered."""
        self.session.tick()
        self._collect()
        if do == 'sent':
            sent, self.sent = self.sent, []
            return sent == merged([frame_of(frame) for frame in value])
        if do == 'credited':
            return self.credits.get(value[0]) == tuple(value[1:])
        if do == 'delivered':
            return self.delivered.get(value[0], b'') + self._held(value[0]) == bytes.fromhex(joined(value[1]))
        if do == 'close':
            return self.close == value
        if do == 'alive':
            return self.close is None
        if do == 'finished':
            return ('fin', value) in self.ends or ('fin', value) in self._waiting(value)
        return (('over', value) if do == 'over' else ('reset', *value)) in self.ends

    def _waiting(self, cid):
        return self.session.streams[cid].held if cid in self.session.streams else []

    def _held(self, cid):
        return b''.join(rest[0] for name, _, *rest in self._waiting(cid) if name == 'data')

    def _receive(self, value):
        frames = value if isinstance(value, list) else []
        message = b''.join(wire.encode(frame_of(frame)) for frame in frames) or bytes.fromhex(value)
        try:
            self._note(self.session.receive(message))
        except Fault as fault:
            for stream in self.session.streams.values():
                self._note(stream.held)
            self._note(self.session.end('tunnel_lost'))
            self.close = fault.code

    def _note(self, events):
        for name, cid, *rest in events:
            if name == 'data':
                self.delivered[cid] = self.delivered.get(cid, b'') + rest[0]
            self.ends.add((name, cid, *rest))

    def _collect(self):
        out, self.session.out = self.session.out, type(self.session.out)()
        for frame in wire.decode(b''.join(out)):
            if frame['type'] == 'CREDIT':
                self.credits[frame['cid']] = frame['consumed'], frame['limit']
            elif frame['type'] != 'PING':
                self.sent = merged([*self.sent, frame])


def merged(frames):
    """The frames with neighbouring DATA put together: a sender may cut it otherwise."""
    done = []
    for frame in frames:
        last = done[-1] if done else {}
        if frame['type'] == last.get('type') == 'DATA' and frame['cid'] == last['cid']:
            if frame['seq'] == last['seq'] + len(last['payload']):
                done[-1] = last | {'payload': last['payload'] + frame['payload']}
                continue
        done.append(frame)
    return done


def check_session(vector):
    talk = Conversation(vector)
    return all(talk.act(do, value) or talk.holds(do, value) for step in vector['steps'] for do, value in step.items())
