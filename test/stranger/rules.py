"""What the page says about values: numbers, texts, and the JSON of HELLO and HELLO_ACK (§2.4, §2.5, §4.1, §4.2)."""
import json
import re

MAX_OFFSET = 2**53 - 1
MAX_PAYLOAD = 65_536
CONNECTOR = re.compile(r'[A-Za-z0-9._-]{1,64}')
_ID = re.compile(r'[A-Za-z0-9_-]{1,128}')


class Fault(Exception):
    """The peer broke a rule that ends the session with this close code."""

    def __init__(self, why, code=4400):
        super().__init__(why)
        self.code = code


def need(rule, why):
    if not rule:
        raise Fault(why)


def text_of(data):
    try:
        text = data.decode('utf-8')
    except UnicodeDecodeError:
        raise Fault('§2.5: not UTF-8') from None
    need(not text.startswith('\ufeff'), '§2.5: a byte order mark')
    return text


def offset(value):
    need(value <= MAX_OFFSET, '§2.4: an offset above 2^53 - 1')
    return value


def is_text(value, form):
    return isinstance(value, str) and form.fullmatch(value) is not None


def _visible(most):
    return re.compile(r'[!-~]{1,%d}' % most)


def _is_number(value, least, most):
    return type(value) is int and least <= value <= most


def _is_list(value, form, most):
    if not isinstance(value, list) or len(value) > most:
        return False
    return all(is_text(item, form) for item in value) and len(set(value)) == len(value)


def _has(value, members):
    return isinstance(value, dict) and all(name in value and check(value[name]) for name, check in members.items())


_LIMITS = {
    'window_bytes': lambda v: _is_number(v, 1024, MAX_OFFSET),
    'max_streams': lambda v: _is_number(v, 0, 2**32 - 1),
    'max_payload': lambda v: _is_number(v, 1024, MAX_PAYLOAD),
}
_BOTH = {
    'protocol': lambda v: _is_number(v, 2, 2),
    'version': lambda v: is_text(v, _visible(64)),
    'features': lambda v: _is_list(v, _visible(64), 64),
    'connectors': lambda v: _is_list(v, CONNECTOR, 1024),
    'limits': lambda v: _has(v, _LIMITS),
}


def _is_id(value):
    return is_text(value, _ID)


_REQUIRED = {
    'HELLO': _BOTH | {'agent_id': lambda v: is_text(v, _visible(128)), 'boot_id': _is_id},
    'HELLO_ACK': _BOTH | {'session_id': _is_id, 'hub_id': _is_id, 'resumed': lambda v: isinstance(v, bool)},
}
_OPTIONAL = {
    'HELLO': {
        'resume': lambda v: _has(v, {'session_id': _is_id, 'token': _is_id}) and isinstance(v.get('only', False), bool),
        'overlaps': _is_id,
    },
    'HELLO_ACK': {
        'resume': lambda v: _has(v, {'token': _is_id, 'grace_ms': lambda n: _is_number(n, 0, 86_400_000)}),
    },
}


def _no_twins(pairs):
    need(len({name for name, _ in pairs}) == len(pairs), '§4.1: a name twice')
    return dict(pairs)


def _no_constant(name):
    raise ValueError(name)


def _whole(digits):
    return -0.0 if digits == '-0' else int(digits)


def document(kind, body):
    """The JSON object of a HELLO or HELLO_ACK; members that the page does not name are left in it."""
    try:
        value = json.loads(text_of(body), object_pairs_hook=_no_twins, parse_int=_whole, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Fault(f'{kind}: not one JSON object') from None
    need(_has(value, _REQUIRED[kind]), f'{kind}: a required member')
    optional = {name: check for name, check in _OPTIONAL[kind].items() if name in value}
    need(_has(value, optional), f'{kind}: an optional member')
    return value
