#!/usr/bin/env python3
"""Runs the vectors against a second decoder, written from docs/reference/wire-protocol.md alone. Standard library only."""
import json, os, re, struct, sys

NAMES = "HELLO HELLO_ACK OPEN OPENED DATA FIN CREDIT RST PING PONG GOAWAY REAUTH DIAG SYNC".split()
REASONS = ("connect_refused connect_timeout dns_failed unreachable unknown_connector denied no_agent limit idle_timeout "
           "reset_by_client reset_by_target tunnel_lost draining protocol_error internal").split()
LENGTHS = {"HELLO": (2, 131072), "HELLO_ACK": (2, 131072), "OPEN": (11, 138), "OPENED": (8, 8), "FIN": (8, 8),
           "CREDIT": (16, 16), "RST": (1, 1), "PING": (8, 8), "PONG": (8, 8), "GOAWAY": (6, 6), "REAUTH": (1, 16384),
           "DIAG": (1, 16384), "SYNC": (25, 25)}
SESSION = {"HELLO", "HELLO_ACK", "PING", "PONG", "GOAWAY", "REAUTH", "DIAG"}
OFFSETS = {"OPENED": ("window",), "FIN": ("seq",), "CREDIT": ("consumed", "limit")}
LARGEST = 2**53 - 1

class Refused(Exception):
    """The peer broke a rule of the page: close code 4400."""

def need(condition, clause):
    if not condition:
        raise Refused(clause)

def text(data):
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("§2.5") from None

def offsets(data):
    values = struct.unpack(">%dQ" % (len(data) // 8), data)
    need(all(value <= LARGEST for value in values), "§2.4")
    return values

def reason(code):
    need(1 <= code <= len(REASONS), "§8.2")
    return REASONS[code - 1]

def matches(form):
    return lambda value: isinstance(value, str) and re.fullmatch(form, value) is not None

def list_of(form, most):
    return lambda value: (isinstance(value, list) and len(value) <= most and all(map(matches(form), value))
                          and len(set(value)) == len(value))

def number(least, most):
    return lambda value: type(value) is int and least <= value <= most

def members(required, **optional):
    """A check of an object; leaves only the members that the page names."""
    def check(value):
        if not isinstance(value, dict):
            return False
        for key in set(value) - set(required) - set(optional):
            del value[key]
        return all(key in value and form(value[key]) for key, form in required.items()) and all(
            form(value[key]) for key, form in optional.items() if key in value)
    return check

ID, WORD, CONNECTOR = r"[A-Za-z0-9_-]{1,128}", r"[!-~]{1,64}", r"[A-Za-z0-9._-]{1,64}"
COMMON = {"protocol": number(2, 2), "version": matches(WORD), "features": list_of(WORD, 64),
          "connectors": list_of(CONNECTOR, 1024), "limits": members({
              "window_bytes": number(1024, LARGEST), "max_streams": number(0, 2**32 - 1), "max_payload": number(1024, 65536)})}
DOCUMENTS = {
    "HELLO": members({**COMMON, "agent_id": matches(r"[!-~]{1,128}"), "boot_id": matches(ID)},
                     resume=members({"session_id": matches(ID), "token": matches(ID)}, only=lambda v: type(v) is bool), overlaps=matches(ID)),
    "HELLO_ACK": members({**COMMON, "session_id": matches(ID), "hub_id": matches(ID), "resumed": lambda v: type(v) is bool},
                         resume=members({"token": matches(ID), "grace_ms": number(0, 86400000)}))}

def distinct(pairs):
    need(len(dict(pairs)) == len(pairs), "§4.1: a name twice")
    return dict(pairs)

def whole(digits):
    return int(digits) if digits != "-0" else -0.0  # not written as a number() is

def document(name, body):
    try:
        value = json.loads(text(body), object_pairs_hook=distinct, parse_int=whole)
    except ValueError:
        raise Refused("§4.1: not JSON") from None
    need(DOCUMENTS[name](value), "§4.1, §4.2")
    return value

def meaning(name, flags, cid, body):
    stream = {"type": name, "cid": cid}
    if name in DOCUMENTS:
        return {"type": name, "document": document(name, body)}
    if name == "OPEN":
        end = 9 + body[8]
        need(end < len(body) and end + 1 + body[end] == len(body) and body[end] <= 64, "§4.3: lengths")
        connector, client = text(body[9:end]), text(body[end + 1:])
        need(matches(CONNECTOR)(connector), "§4.3: connector")
        return {**stream, "connector": connector, "client": client, "window": offsets(body[:8])[0]}
    if name == "DATA":
        seq = offsets(body[:8])[0]
        need(seq + len(body) - 8 <= LARGEST, "§2.4")
        return {**stream, "seq": seq, "payload": body[8:].hex()}
    if name in OFFSETS:
        return {**stream, **dict(zip(OFFSETS[name], offsets(body)))}
    if name == "RST":
        return {**stream, "reason": reason(body[0])}
    if name == "SYNC":
        return {**stream, "opened": bool(flags & 1), "closed": bool(flags & 2), "reason": reason(body[0]) if body[0] else None,
                **dict(zip(("received", "consumed", "limit"), offsets(body[1:])))}
    if name == "GOAWAY":
        return {"type": name, **dict(zip(("code", "grace_ms"), struct.unpack(">HI", body)))}
    key = {"PING": "nonce", "PONG": "nonce", "REAUTH": "token", "DIAG": "text"}[name]
    return {"type": name, key: body.hex() if key == "nonce" else text(body)}

def decode(data, max_payload=65536):
    """Frames of a message, and the close code when it is a fault; frames before the fault are kept."""
    frames, at = [], 0
    try:
        while len(data) - at >= 9:
            length, kind, flags = int.from_bytes(data[at:at + 3], "big"), data[at + 3], data[at + 4]
            cid, end = int.from_bytes(data[at + 5:at + 9], "big"), at + 9 + length
            need(1 <= kind <= len(NAMES), "§3: type")
            name = NAMES[kind - 1]
            least, most = LENGTHS.get(name, (9, 8 + max_payload))
            need(least <= length <= most and flags & ~(3 if name == "SYNC" else 0) == 0, "§3: length, flags")
            need(name == "SYNC" or (cid == 0) == (name in SESSION), "§3: cid")
            if len(data) < end:
                break
            frames.append(meaning(name, flags, cid, data[at + 9:end]))
            at = end
    except Refused:
        return frames, 4400, True
    return frames, None if at == len(data) else 4400, False

def plain(value):
    """A text of the files, also one that is written as a list of parts."""
    return value if not isinstance(value, list) else "".join(p if isinstance(p, str) else p[0] * p[1] for p in value)

def vectors(name):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name), encoding="utf-8") as file:
        for vector in json.load(file)["vectors"]:
            yield vector, bytes.fromhex(plain(vector["hex"]))

def run():
    for vector, data in vectors("frames.json"):
        expected = {key: value if key == "document" else plain(value) for key, value in vector["frame"].items()}
        yield decode(data) == ([expected], None, False), vector["name"]
        cuts = range(1, len(data)) if len(data) < 4096 else (1, 8, 9, 16, 17, len(data) // 2, len(data) - 1)
        yield all(decode(data[:cut]) == ([], 4400, False) for cut in cuts), vector["name"] + ", cut short"
    for vector, data in vectors("invalid.json"):
        yield decode(data, vector.get("max_payload", 65536)) == ([], vector["close"], True), vector["name"]
    for vector, data in vectors("messages.json"):
        frames, code, _ = decode(data)
        yield ([frame["type"] for frame in frames], code) == (vector["types"], vector.get("close")), vector["name"]

if __name__ == "__main__":
    results = list(run())
    for failed in (name for passed, name in results if not passed):
        print("failed: " + failed, file=sys.stderr)
    print("%d checks, %d failed" % (len(results), sum(not passed for passed, _ in results)))
    sys.exit(not all(passed for passed, _ in results))
