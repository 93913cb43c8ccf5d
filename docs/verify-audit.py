#!/usr/bin/env python3
"""Checks an exported hoosh audit log. Needs nothing but Python 3.8; the format is described in audit-format.md.

    python3 verify-audit.py audit.ndjson --checkpoints checkpoints.ndjson --public-key audit.pub.pem --key audit.key

Exit codes: 0 ok, 1 tampered, 2 truncated, 3 fork, 4 incomplete, 5 missing, 64 usage or unreadable files.
Written apart from hoosh's own verifier, so that neither has to be trusted alone.
"""
import argparse, base64, bisect, codecs, hashlib, hmac, json, re, struct, sys

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    Ed25519PublicKey = None

CODES = {"ok": 0, "tampered": 1, "truncated": 2, "fork": 3, "incomplete": 4, "missing": 5}
WEIGHT = ["fork", "tampered", "truncated", "missing", "incomplete"]
HEX, ZERO = re.compile(r"[0-9a-f]{64}\Z"), "0" * 64
TEXTS = {"id", "event", "level", "message", "provider", "model", "subject", "pool", "reservation", "requestId"}
NEEDED = {"id", "event", "level", "message", "timestamp", "integrity"}
INTEGRITY = {"epoch", "hash", "previous_hash", "seq", "signature", "version", "writer"}
BIG, MAX_DETAIL_LEVELS, MAX_LINE_LEVELS = 2**53 - 1, 32, 100
MARKS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')
MAX_TURNS_BETWEEN, MAX_TURNS_BEFORE = 100_000, 5_000_000


# --- Ed25519 (RFC 8032), verifying only -----------------------------------------------------------------------------

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def _add(a, b):
    x = (a[1] - a[0]) * (b[1] - b[0]) % P
    y = (a[1] + a[0]) * (b[1] + b[0]) % P
    t, z = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = y - x, z - t, z + t, y + x
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def _double(p):
    a, b, c = p[0] * p[0] % P, p[1] * p[1] % P, 2 * p[2] * p[2] % P
    h, e, g = a + b, a + b - (p[0] + p[1]) ** 2, a - b
    f = c + g
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def _sum_of_two(n, a, m, b):
    """n * a + m * b, bit by bit for both at once."""
    both, result = _add(a, b), (0, 1, 1, 0)
    for bit in range(max(n.bit_length(), m.bit_length()) - 1, -1, -1):
        result = _double(result)
        chosen = (n >> bit & 1) + 2 * (m >> bit & 1)
        if chosen:
            result = _add(result, (a, b, both)[chosen - 1])
    return result


def _point(encoded):
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= P:
        return None
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P != 0:
        x = x * SQRT_M1 % P
    if (x * x - xx) % P != 0 or (x == 0 and sign == 1):
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


def _encoded(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return int.to_bytes(y | ((x & 1) << 255), 32, "little")


BASE = _point(int.to_bytes(4 * pow(5, P - 2, P) % P, 32, "little"))


def ed25519_verify(public, signature, message):
    """Whether a 64-byte signature of a message is of the holder of a 32-byte public key."""
    key, s = _point(public), int.from_bytes(signature[32:], "little")
    if key is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    minus = (P - key[0], key[1], 1, P - key[3])
    return _encoded(_sum_of_two(s, BASE, k, minus)) == signature[:32]


def is_signed(public, signature, message):
    """The same, a hundred times faster where the module `cryptography` is installed."""
    if Ed25519PublicKey is None:
        return ed25519_verify(public, signature, message)
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        return True
    except (InvalidSignature, ValueError):
        return False


def public_key(pem):
    """The 32 raw bytes of an Ed25519 public key in PEM (SubjectPublicKeyInfo, RFC 8410)."""
    body = re.search(r"-----BEGIN PUBLIC KEY-----(.*?)-----END PUBLIC KEY-----", pem, re.S)
    der = base64.b64decode("".join(body.group(1).split())) if body else b""
    if len(der) != 44 or der[:12] != bytes.fromhex("302a300506032b6570032100"):
        raise ValueError("the public key is no Ed25519 key in PEM")
    return der[12:]


# --- Canonical JSON (RFC 8785) of strings, safe integers, booleans, null, arrays and objects -------------------------


def utf16(key):
    return key.encode("utf-16-be", "surrogatepass")


def canonical(value):
    if isinstance(value, dict):
        keys = sorted(value, key=utf16)
        return "{" + ",".join(canonical(key) + ":" + canonical(value[key]) for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _constant(_):
    raise ValueError("no number")


def _number(text):
    """A number however it is spelled, as readers with doubles take it: 3e0 is 3."""
    value = float(text)
    return int(value) if value.is_integer() and abs(value) <= BIG else value


def _integer(text):
    return int(text) if len(text) < 20 else _number(text)


def parse(text):
    """What a line says, and whether it is JSON. A text that is None is no UTF-8."""
    if text is None:
        return None, False
    try:
        return json.loads(text, parse_constant=_constant, parse_int=_integer, parse_float=_number), True
    except (ValueError, RecursionError):
        return None, False


def is_deep(text):
    """Whether a text that is JSON has more levels than are read."""
    level = 0
    for mark in MARKS.finditer(text):
        level += {"[": 1, "{": 1, "]": -1, "}": -1}.get(mark.group(), 0)
        if level > MAX_LINE_LEVELS:
            return True
    return False


def is_text(value):
    return isinstance(value, str) and not any("\ud800" <= c <= "\udfff" for c in value)


def is_whole(value, least=0):
    return type(value) is int and least <= value <= BIG


def is_hex(value):
    return isinstance(value, str) and HEX.match(value) is not None


def is_detail(value, level):
    if isinstance(value, str):
        return is_text(value)
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, int):
        return -BIG <= value <= BIG
    if isinstance(value, float) or level > MAX_DETAIL_LEVELS:
        return False
    if isinstance(value, list):
        return all(is_detail(item, level + 1) for item in value)
    return all(is_text(key) and is_detail(item, level + 1) for key, item in value.items())


def is_place(value):
    return (isinstance(value, dict) and set(value) == {"hash", "seq", "writer"} and is_text(value["writer"])
            and is_whole(value["seq"], 1) and is_hex(value["hash"]))


def is_entry(value):
    if not isinstance(value, dict) or not NEEDED <= set(value) <= TEXTS | NEEDED | {"metadata"}:
        return False
    place = value["integrity"]
    return (isinstance(place, dict) and set(place) == INTEGRITY and place["version"] == "2" and is_text(place["writer"])
            and is_whole(place["epoch"]) and is_whole(place["seq"], 1) and is_hex(place["hash"])
            and is_hex(place["previous_hash"]) and (place["signature"] == "" or is_hex(place["signature"]))
            and all(is_text(value[field]) for field in TEXTS & set(value)) and type(value["timestamp"]) is int
            and -BIG <= value["timestamp"] <= BIG
            and ("metadata" not in value or isinstance(value["metadata"], dict) and is_detail(value["metadata"], 1)))


# --- The chain ------------------------------------------------------------------------------------------------------


def entry_hash(writer, seq, previous, body):
    name = writer.encode()
    return hashlib.sha256(b"hoosh-audit-v1\0" + struct.pack(">I", len(name)) + name + struct.pack(">Q", seq)
                          + bytes.fromhex(previous) + hashlib.sha256(body.encode()).digest()).hexdigest()


def hmac_sha256(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


class Tagger:
    """A writer's key, which is turned once for each checkpoint and not back."""

    def __init__(self, root, writer):
        self.key, self.epoch = hmac_sha256(root.encode(), b"hoosh-writer\0" + writer.encode()), 0

    def tag(self, epoch, digest):
        while self.epoch < epoch:
            self.key, self.epoch = hmac_sha256(self.key, b"evolve"), self.epoch + 1
        return hmac_sha256(self.key, bytes.fromhex(digest)).hex()


def may_follow(seq, before, epoch):
    if before is None:
        return epoch == 0 if seq == 0 else epoch <= MAX_TURNS_BEFORE
    return before <= epoch <= before + MAX_TURNS_BETWEEN


class Writer:
    def __init__(self, name, seq, digest, root, anchor=None):
        self.name, self.seq, self.hash, self.anchor, self.first = name, seq, digest, anchor, seq + 1
        self.tagger = None if root is None else Tagger(root, name)
        self.signed = self.epoch = None
        self.hashes = {seq: digest} if seq > 0 else {}
        self.entries, self.sealed, self.begin = 0, False, None
        self.again = None  # behind the end of a segment: up to where the chain is told again
        self.told = None  # the line and the number with which that began

    def wrong(self, entry):
        """What is wrong with an entry by itself, but for what its tag is."""
        place = entry["integrity"]
        body = canonical({**entry, "integrity": {k: place[k] for k in ("epoch", "seq", "version", "writer")}})
        if entry_hash(self.name, place["seq"], place["previous_hash"], body) != place["hash"]:
            return "its hash is not that of its text"
        signed = place["signature"] != ""
        if entry["event"] == "audit.boot" and place["seq"] == 1 and entry.get("metadata", {}).get("signed") is not signed:
            return "its tag is not what the boot entry says of the chain"
        if self.signed is not None and self.signed != signed:
            return "some entries of this chain have tags and some have none"
        return None


class Verification:
    def __init__(self, root):
        self.root, self.faults, self.writers, self.claims = root, {}, {}, []
        self.rows, self.numbers = {}, {}  # checkpoints of each writer by epoch, and the entries they name
        self.settled = False  # a wrong tag or a fork was found: no more keys are turned

    def fault(self, kind, line, writer, seq, reason):
        self.faults.setdefault(kind, {"line": line, "writer": writer, "seq": seq, "reason": reason})

    # Checkpoints

    def read_checkpoints(self, lines, public):
        rows, torn = {}, []
        for number, text, ended, start in lines:
            found, is_json = parse(text)
            if not self.is_checkpoint(found, text):
                is_json = is_json and not is_deep(text)
                if not is_json and not ended:
                    self.fault("incomplete", None, None, None, f"checkpoints, line {number}: the line is torn")
                elif not is_json and start is not None:
                    torn.append((number, start))
                else:
                    self.fault("tampered", None, None, None, f"checkpoints, line {number}: it is no checkpoint")
                continue
            signed = canonical({k: v for k, v in found.items() if k != "signature"}).encode()
            if not is_signed(public, base64.b64decode(found["signature"]), signed):
                self.fault("tampered", None, found["writer"], found["seq"],
                           f"checkpoints, line {number}: its signature is not of this key")
                continue
            other = rows.setdefault(found["writer"], {}).setdefault(found["epoch"], (text, found))
            if other[0] != text:
                self.fault("fork", None, found["writer"], found["seq"],
                           f"checkpoints, line {number}: another one of this epoch was signed")
        whole = sorted(text for row in rows.values() for text, _ in row.values())
        for number, start in torn:
            if not any(text.startswith(start) for text in whole[bisect.bisect_left(whole, start):][:1]):
                self.fault("incomplete", None, None, None,
                           f"checkpoints, line {number}: the line is torn, and is nowhere whole")
        for writer, row in rows.items():
            self.check_row(writer, [row[epoch] for epoch in sorted(row)])

    @staticmethod
    def is_checkpoint(found, text):
        if not isinstance(found, dict) or set(found) != {"epoch", "hash", "previous", "seq", "signature", "time", "writer"}:
            return False
        try:
            signature = base64.b64decode(found["signature"], validate=True)
        except (ValueError, TypeError):
            return False
        return (is_text(found["writer"]) and is_whole(found["seq"], 1) and is_whole(found["epoch"])
                and is_whole(found["time"]) and is_hex(found["hash"])
                and (found["previous"] == "" or is_hex(found["previous"])) and len(signature) == 64
                and base64.b64encode(signature).decode() == found["signature"] and canonical(found) == text)

    def check_row(self, writer, row):
        before = None
        for text, found in row:
            follows = ((found["epoch"] == 0) == (found["previous"] == "") if before is None else
                       found["previous"] == hashlib.sha256(before[0].encode()).hexdigest()
                       and before[1]["seq"] <= found["seq"] and before[1]["epoch"] + 1 == found["epoch"])
            if not follows:
                self.fault("tampered", None, writer, found["seq"], f"the checkpoint of epoch {found['epoch']} does not "
                           "follow the one before it: lines are missing between them")
            before = (text, found)
        self.rows[writer] = [found for _, found in row]
        self.numbers[writer] = [found["seq"] for _, found in row]

    # The log

    def read_log(self, lines):
        for number, text, ended, _ in lines:
            found, is_json = parse(text)
            if is_entry(found) and canonical(found) == text:
                self.read_entry(number, found)
                continue
            kind = next((k for k in ("anchor", "end") if isinstance(found, dict) and set(found) == {k}
                         and is_place(found[k]) and canonical(found) == text), None)
            if kind is not None:
                self.read_place(number, kind, found[kind])
                continue
            if is_json and is_deep(text):
                found, is_json = None, False
            if ended or is_json:
                writer, seq = self.claimed(found)
                self.fault("tampered", number, writer, seq, "it is no canonical entry")
            else:
                self.fault("incomplete", number, None, None, "the line is torn")

    @staticmethod
    def claimed(found):
        parts = [found.get(k) for k in ("integrity", "anchor", "end", "damaged")] if isinstance(found, dict) else []
        claim = next((part for part in parts if isinstance(part, dict)), {})
        writer, seq = claim.get("writer"), claim.get("seq")
        return writer if is_text(writer) else None, seq if is_whole(seq) else None

    def read_entry(self, line, entry):
        place = entry["integrity"]
        name, seq, digest, previous = place["writer"], place["seq"], place["hash"], place["previous_hash"]
        own = self.writers.get(name)
        if own is None:
            if seq > 1:
                self.fault("truncated", line, name, 1, "the beginning of this chain is missing")
            own = self.writers[name] = Writer(name, seq - 1, previous if seq > 1 else ZERO, self.root)
        if seq <= own.seq:
            known, parent = own.hashes.get(seq), own.hashes.get(seq - 1, ZERO)
            if known == digest and own.again == seq - 1 and own.wrong(entry) is None:
                own.again, own.told = seq, own.told or (line, seq)
                return
            if known not in (None, digest) and previous == parent and not self.settled \
                    and place["epoch"] <= (own.epoch or 0) and self.wrong(own, entry, afresh=True) is None:
                self.settled = True
                self.fault("fork", line, name, seq, "another entry has this number and follows the same one")
            else:
                self.fault("tampered", line, name, seq,
                           "the entry is there twice" if known == digest else "the entry is not in its place")
            return
        self.end_telling(own)
        if own.sealed:
            self.fault("tampered", line, name, seq, "an entry stands behind the seal")
        if seq > own.seq + 1:
            self.fault("tampered", line, name, own.seq + 1, "an entry is missing")
        elif previous != own.hash:
            self.fault("tampered", line, name, seq, "it does not follow the entry before it")
        else:
            wrong = self.wrong_epoch(own, place) or self.wrong(own, entry)
            if wrong:
                self.fault("tampered", line, name, seq, wrong)
        own.begin = own.begin or (entry["timestamp"], line)
        self.move_on(own, entry)

    def wrong(self, own, entry, afresh=False):
        """What is wrong with an entry by itself; afresh: the writer's key may have been turned past it."""
        place = entry["integrity"]
        found = own.wrong(entry)
        if found or place["signature"] == "" or self.root is None or self.settled:
            return found
        tagger = Tagger(self.root, own.name) if afresh else own.tagger
        if tagger.tag(place["epoch"], place["hash"]) == place["signature"]:
            return None
        self.settled = True
        return "its tag is not of this key"

    def wrong_epoch(self, own, place):
        seq, epoch = place["seq"], place["epoch"]
        if not may_follow(own.seq, own.epoch, epoch):
            return "its epoch cannot follow that of the entry before it"
        row = self.rows.get(own.name, [])
        index = bisect.bisect_left(self.numbers.get(own.name, []), seq)
        if index < len(row) and epoch > row[index]["epoch"]:
            return "its epoch is later than the checkpoint that covers it"
        if index > 0 and epoch <= row[index - 1]["epoch"]:
            return "its epoch had ended before it"
        return None

    def move_on(self, own, entry):
        place = entry["integrity"]
        own.hashes[place["seq"]] = place["hash"]
        if may_follow(place["seq"] - 1, own.epoch, place["epoch"]):
            own.epoch = place["epoch"]
        own.seq, own.hash = place["seq"], place["hash"]
        own.signed = place["signature"] != "" if own.signed is None else own.signed
        own.entries += 1
        own.again = None
        own.sealed = own.sealed or entry["event"] == "audit.seal"
        details = entry.get("metadata", {})
        if entry["event"] == "audit.segment_closed":
            self.claim("segment", details)
        if entry["event"] == "audit.boot" and isinstance(details.get("predecessors"), list):
            for named in details["predecessors"]:
                self.claim("successor", named)

    def claim(self, by, named):
        if isinstance(named, dict) and is_place({k: named.get(k) for k in ("hash", "seq", "writer")}):
            self.claims.append((by, named["writer"], named["seq"], named["hash"]))

    def read_place(self, line, kind, place):
        own = self.writers.get(place["writer"])
        if own is None and kind == "anchor":
            self.writers[place["writer"]] = Writer(place["writer"], place["seq"], place["hash"], self.root, (line, place))
        elif own is not None and (own.seq, own.hash) == (place["seq"], place["hash"]):
            if kind == "end":
                self.end_telling(own)
                own.again = 0
        elif own is not None and kind == "anchor" and own.again is not None and own.told is None \
                and own.hashes.get(place["seq"]) == place["hash"]:
            own.again, own.told = place["seq"], (line, place["seq"])
        else:
            what = "begin" if kind == "anchor" else "end"
            self.fault("tampered", line, place["writer"], place["seq"],
                       f"the segment does not {what} where the entries before it stopped")

    def end_telling(self, own):
        """A chain that is told again is told up to where it stands: of a part of it alone the entries are there twice."""
        if own.told is not None and own.again != own.seq:
            self.fault("tampered", own.told[0], own.name, own.told[1], "the entry is there twice")
        own.told = None

    # What the whole of it has to satisfy

    def conclude(self, require_tags):
        for own in self.writers.values():
            self.end_telling(own)
        for writer, row in self.rows.items():
            own = self.writers.get(writer)
            if own is None:
                self.fault("missing", None, writer, None, "a writer of the checkpoints is missing")
                continue
            wrong = next((p for p in row if own.hashes.get(p["seq"], p["hash"]) != p["hash"]), None)
            if wrong:
                self.fault("tampered", None, writer, wrong["seq"], "the entry is not what was signed")
            if row[-1]["seq"] > own.seq:
                self.fault("truncated", None, writer, own.seq + 1, f"entries up to {row[-1]['seq']} were signed and are missing")
        for by, writer, seq, digest in self.claims:
            own = self.writers.get(writer)
            if by != "successor" or own is None:
                continue
            if own.hashes.get(seq, digest) != digest:
                self.fault("tampered", None, writer, seq, "the entry is not what a later boot names")
            elif seq > own.seq:
                self.fault("truncated", None, writer, own.seq + 1, "entries that a later boot names are missing")
        for writer, own in self.writers.items():
            if own.anchor is None:
                continue
            line, place = own.anchor
            vouched = [(p["seq"], p["hash"]) for p in self.rows.get(writer, [])]
            vouched += [(seq, digest) for _, name, seq, digest in self.claims if name == writer]
            if (place["seq"], place["hash"]) not in vouched:
                self.fault("truncated", line, writer, place["seq"], "nobody vouches for the place where this chain begins")
        if require_tags or self.root is not None:
            self.check_tags(require_tags)
        return self.report()

    def check_tags(self, all_chains):
        """Chains without tags are older than the key, or a fault."""
        chains = [(writer, own) for writer, own in self.writers.items() if own.begin]
        tagged = [own.begin[0] for _, own in chains if own.signed]
        for writer, own in chains:
            if not own.signed and (all_chains or not tagged or own.begin[0] >= min(tagged)):
                self.fault("tampered", own.begin[1], writer, own.first, "the entries of this chain have no tags")

    def report(self):
        verdict = next((kind for kind in WEIGHT if kind in self.faults), "ok")
        named = {writer for by, writer, _, _ in self.claims if by == "successor"}
        writers, uncovered = [], []
        for name in sorted(self.writers, key=utf16):
            own = self.writers[name]
            found = [p for p in self.rows.get(name, []) if own.hashes.get(p["seq"]) == p["hash"]]
            covered = found[-1]["seq"] if found else 0
            writers.append({"writer": name, "first": own.first, "last": own.seq, "entries": own.entries,
                            "signed": own.signed is True, "covered": covered,
                            "end": "sealed" if own.sealed else "succeeded" if name in named else "open"})
            if not (own.sealed and covered == own.seq):
                uncovered.append({"writer": name, "after": covered, "through": own.seq,
                                  "entries": own.seq - max(covered, own.first - 1),
                                  "since": found[-1]["time"] if found else None})
        chains = [one for one in writers if one["entries"] > 0]  # an anchor alone has nothing to be tagged
        signed = sum(1 for one in chains if one["signed"])
        tags = ("none" if signed == 0 else "unchecked" if self.root is None else
                "checked" if signed == len(chains) else "partial")
        return {"code": CODES[verdict], "verdict": verdict, "firstBad": self.faults.get(verdict), "uncovered": uncovered,
                "writers": writers, "tags": tags, "absent": sorted(named - set(self.writers), key=utf16),
                "entries": sum(one["entries"] for one in writers)}


def lines_of(files):
    """Lines of files one after the other: number, text (None: no UTF-8), whether the line was ended, and the text of one
    that may have been cut, without a last character of which only a part is there (None: that is no UTF-8 either)."""
    number = 0
    for content in files:
        pieces = content.split(b"\n")
        last = pieces.pop()
        for piece, ended in [(piece, True) for piece in pieces] + ([(last, False)] if last else []):
            number += 1
            try:
                text = start = piece.decode("utf-8")
            except UnicodeDecodeError:
                text, start = None, start_of(piece)
            yield number, text, ended, start


def start_of(piece):
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(piece)
    except UnicodeDecodeError:
        return None


def verify(logs, checkpoints=(), public=None, key=None, require_tags=False):
    """The verdict on the bytes of one or more files, against checkpoints, a PEM public key and the configured key."""
    verification = Verification(key)
    if public is not None:
        verification.read_checkpoints(lines_of(checkpoints), public_key(public))
    verification.read_log(lines_of(logs))
    return verification.conclude(require_tags)


def check_payload(payload, logs):
    """Whether a payload, as the gateway tells it, is what its entry in the log says: ok, changed, or unknown."""
    content = payload["content"]
    raw = base64.b64decode(content) if payload["encoding"] == "base64" else content.encode()
    digest = hashlib.sha256(b"hoosh-payload-v1\0" + bytes.fromhex(payload["salt"]) + raw).hexdigest()
    for _, text, _, _ in lines_of(logs):
        entry = json.loads(text) if text and payload["id"] in text else {}
        if entry.get("id") == payload["id"]:
            return "ok" if entry.get("metadata", {}).get("payload_hash") == digest else "changed"
    return "unknown"


def main():
    parser = argparse.ArgumentParser(description="Checks an exported hoosh audit log.", allow_abbrev=False)
    parser.error = lambda message: (print(message, file=sys.stderr), sys.exit(64))
    parser.add_argument("files", nargs="+")
    parser.add_argument("--checkpoints", action="append", default=[])
    parser.add_argument("--public-key")
    parser.add_argument("--key")
    parser.add_argument("--require-tags", action="store_true", help="every chain must have tags, also one older than the key")
    parser.add_argument("--payload", help="an answer of GET /v1/audit/{entry}/payload")
    options = parser.parse_args()
    if options.checkpoints and options.public_key is None:
        parser.error("--checkpoints are checked with --public-key")
    read = lambda path: open(path, "rb").read()
    text = lambda path: None if path is None else read(path).decode()
    try:
        key = text(options.key)
        result = verify([read(path) for path in options.files], [read(path) for path in options.checkpoints],
                        text(options.public_key), None if key is None else re.sub(r"\r?\n\Z", "", key), options.require_tags)
        if options.payload is not None:
            result["payload"] = check_payload(json.loads(text(options.payload)), [read(path) for path in options.files])
            result["code"] = result["code"] or (0 if result["payload"] == "ok" else 1)
    except (OSError, ValueError, KeyError) as error:
        parser.error(str(error))
    sys.stdout.reconfigure(encoding="utf-8")
    print(json.dumps(result, indent=2, ensure_ascii=False))
    sys.exit(result["code"])


if __name__ == "__main__":
    main()
