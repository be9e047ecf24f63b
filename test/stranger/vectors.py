"""Runs test/vectors/*.json against wire.py and session.py. Prints one line of JSON: how many of each, what failed."""
import json
import sys
from pathlib import Path

import rules
import wire
from conversation import check_session
from vector_values import frame_of, joined

FOLDER = Path(__file__).resolve().parent.parent / 'vectors'


def load(name):
    return json.loads((FOLDER / f'{name}.json').read_text('utf-8'))['vectors']


def known(document, like):
    """The document without the members that the vector does not name: those are ignored by the reader."""
    if not isinstance(like, dict):
        return document
    return {name: known(document[name], value) for name, value in like.items()}


def decoded(message, max_payload):
    """The frames before the fault, and the close code if there is one."""
    frames = []
    try:
        for frame in wire.decode(message, max_payload):
            frames.append(frame)
    except rules.Fault as fault:
        return frames, fault.code
    return frames, None


def check_frame(vector):
    data, want = bytes.fromhex(joined(vector['hex'])), frame_of(vector['frame'])
    (got,), close = decoded(data, rules.MAX_PAYLOAD)
    if 'document' in got:
        got['document'] = known(got['document'], want['document'])
    encodes = vector.get('encode') is False or wire.encode(want) == data
    cuts = {0, 1, 8, 9, len(data) // 2, len(data) - 1} & set(range(1, len(data)))
    short = all(decoded(data[:size], rules.MAX_PAYLOAD) == ([], 4400) for size in cuts)
    return close is None and got == want and encodes and short


def check_invalid(vector):
    """Some stop behind the header. They must be refused with the body that it promises too, not only for being short."""
    data = bytes.fromhex(joined(vector['hex']))
    whole = data.ljust(wire.HEADER + int.from_bytes(data[:3], 'big'), b'\0')
    limit = vector.get('max_payload', rules.MAX_PAYLOAD)
    return all(decoded(message, limit) == ([], vector['close']) for message in (data, whole))


def check_message(vector):
    frames, close = decoded(bytes.fromhex(joined(vector['hex'])), rules.MAX_PAYLOAD)
    return [frame['type'] for frame in frames] == vector['types'] and close == vector.get('close')


CHECKS = {'frames': check_frame, 'invalid': check_invalid, 'messages': check_message, 'sessions': check_session}


def main():
    counts, failed = {}, []
    for name, check in CHECKS.items():
        vectors = load(name)
        counts[name] = len(vectors)
        failed += [vector['name'] for vector in vectors if not check(vector)]
    print(json.dumps({**counts, 'failed': failed}))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
