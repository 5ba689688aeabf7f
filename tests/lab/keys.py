"""Deterministic DNSSEC keys of the lab: the same label gives the same key on every machine and every run, so that
key tags in test output can be compared. Nothing here is secret."""

import base64
import hashlib
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

RSASHA1, RSASHA1_NSEC3, RSASHA256, RSASHA512, GOST, P256, P384, ED25519, ED448 = 5, 7, 8, 10, 12, 13, 14, 15, 16
RSA_ALGORITHMS = (RSASHA1, RSASHA1_NSEC3, RSASHA256, RSASHA512)
UNKNOWN_ALGORITHMS = (GOST, 200, 253)

ZONE, REVOKE, SEP = 0x0100, 0x0080, 0x0001

_rsa_numbers = {}


def _stream(label, octets):
    """As many pseudo-random octets as wanted, from a label."""
    return hashlib.shake_256(b"holdfast lab " + label.encode()).digest(octets)


def _is_prime(n):
    for p in (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97):
        if n % p == 0:
            return False
    # Base 2 and 3 suffice here: the candidates are random, not chosen by anyone who wants to fool the test.
    d, s = n - 1, 0
    while d % 2 == 0:
        d, s = d // 2, s + 1
    for a in (2, 3):
        x = pow(a, d, n)
        if x in (1, n - 1):
            continue
        for _ in range(s - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def _prime(label, bits, e):
    n = int.from_bytes(_stream(label, bits // 8), "big") | (3 << (bits - 2)) | 1
    while not _is_prime(n) or (n - 1) % e == 0:
        n += 2
    return n


def _rsa_private(label, bits):
    """RSA keys are dear to make: a few are shared by all zones (a key's tag does not depend on its owner)."""
    slot = "rsa-%d-%d" % (bits, _stream(label, 1)[0] % 3)
    if slot not in _rsa_numbers:
        e = 65537
        p, q = _prime(slot + "-p", bits // 2, e), _prime(slot + "-q", bits // 2, e)
        d = pow(e, -1, (p - 1) * (q - 1))
        numbers = rsa.RSAPrivateNumbers(p=p, q=q, d=d, dmp1=d % (p - 1), dmq1=d % (q - 1), iqmp=pow(q, -1, p),
                                        public_numbers=rsa.RSAPublicNumbers(e, p * q))
        _rsa_numbers[slot] = numbers.private_key()
    return _rsa_numbers[slot]


class Key:
    """One key pair with its DNSKEY fields."""

    def __init__(self, label, algorithm, flags=ZONE | SEP, protocol=3, bits=2048):
        self.label, self.algorithm, self.flags, self.protocol = label, algorithm, flags, protocol
        seed = "%s/%d" % (label, algorithm)
        self.private = None
        if algorithm in RSA_ALGORITHMS:
            self.private = _rsa_private(seed, bits)
            n = self.private.public_key().public_numbers()
            exponent = n.e.to_bytes((n.e.bit_length() + 7) // 8, "big")
            self.public = bytes([len(exponent)]) + exponent + n.n.to_bytes((n.n.bit_length() + 7) // 8, "big")
        elif algorithm in (P256, P384):
            curve, size = (ec.SECP256R1(), 32) if algorithm == P256 else (ec.SECP384R1(), 48)
            secret = int.from_bytes(_stream(seed, size), "big") >> 8 | 1
            self.private, self.size = ec.derive_private_key(secret, curve), size
            n = self.private.public_key().public_numbers()
            self.public = n.x.to_bytes(size, "big") + n.y.to_bytes(size, "big")
        elif algorithm in (ED25519, ED448):
            module, size = (ed25519.Ed25519PrivateKey, 32) if algorithm == ED25519 else (ed448.Ed448PrivateKey, 57)
            self.private = module.from_private_bytes(_stream(seed, size))
            self.public = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        else:
            self.public = _stream(seed, 64)

    def with_flags(self, flags):
        other = Key.__new__(Key)
        other.__dict__.update(self.__dict__)
        other.flags = flags
        return other

    def rdata(self):
        return struct.pack("!HBB", self.flags, self.protocol, self.algorithm) + self.public

    def text(self):
        return "%d %d %d %s" % (self.flags, self.protocol, self.algorithm, base64.b64encode(self.public).decode())

    def tag(self):
        """RFC 4034 appendix B."""
        data, total = self.rdata(), 0
        for i, octet in enumerate(data):
            total += octet if i & 1 else octet << 8
        return (total + (total >> 16)) & 0xFFFF

    def ds_text(self, owner_wire, digest_type=2):
        data = owner_wire + self.rdata()
        if digest_type == 1:
            digest = hashlib.sha1(data).hexdigest()
        elif digest_type == 4:
            digest = hashlib.sha384(data).hexdigest()
        else:
            digest = hashlib.sha256(data).hexdigest()
        return "%d %d %d %s" % (self.tag(), self.algorithm, digest_type, digest)

    def sign(self, data):
        a = self.algorithm
        if a in RSA_ALGORITHMS:
            digest = {RSASHA256: hashes.SHA256(), RSASHA512: hashes.SHA512()}.get(a, hashes.SHA1())
            return self.private.sign(data, padding.PKCS1v15(), digest)
        if a in (P256, P384):
            der = self.private.sign(data, ec.ECDSA(hashes.SHA256() if a == P256 else hashes.SHA384()))
            r, s = utils.decode_dss_signature(der)
            return r.to_bytes(self.size, "big") + s.to_bytes(self.size, "big")
        if a in (ED25519, ED448):
            return self.private.sign(data)
        return _stream(self.label + data.hex()[:64], 64)
