"""The values of test/vectors as its README.md describes them."""


def joined(value):
    """A long value, put together: ["00", ["61", 3]] is "00616161"."""
    if isinstance(value, str):
        return value
    return ''.join(item if isinstance(item, str) else item[0] * item[1] for item in value)


def frame_of(data):
    """A frame as in frames.json, its long values joined and its bytes as bytes."""
    frame = {name: joined(value) if isinstance(value, list) else value for name, value in data.items()}
    return frame | {name: bytes.fromhex(frame[name]) for name in ('payload', 'nonce') if name in frame}
