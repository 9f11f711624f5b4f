"""What an interpreter and its C libraries do, each piece reduced to one line that is the same on every machine."""

import ctypes
import decimal
import fractions
import hashlib
import json
import lzma
import os
import random
import re
import sqlite3
import struct
import subprocess
import threading
import zlib
import bz2


def show(name, value):
    print(name, hashlib.sha256(repr(value).encode()).hexdigest()[:16])


def primes(limit):
    sieve = bytearray([1]) * limit
    for i in range(2, int(limit**0.5) + 1):
        if sieve[i]:
            sieve[i * i :: i] = bytes(len(range(i * i, limit, i)))
    return sum(i for i in range(2, limit) if sieve[i])


class Shape:
    def __init__(self, *sides):
        self.sides = sides

    def area(self):
        return self.sides[0] * self.sides[-1]


random.seed(7)
data = bytes(random.getrandbits(8) & 0x3F for _ in range(120_000))

show("primes", primes(200_000))
show("float", sum(1.0 / i - (i**0.5) / 3 for i in range(1, 100_000)))
show("bigint", pow(3, 20_000) % (2**4423 - 1))
show("decimal", decimal.Context(prec=200).sqrt(decimal.Decimal(2)))
show("fraction", sum(fractions.Fraction(1, i) for i in range(1, 400)))
show("objects", sum(Shape(i, i % 7).area() for i in range(60_000)))
show("sort", sorted(random.random() for _ in range(50_000))[::1000])
show("dict", sorted({str(i * 7919 % 10_007): i for i in range(50_000)}.items())[:500])
show("regex", re.sub(r"(\d+)x(\d*)", r"<\2\1>", "x".join(map(str, range(20_000))))[-500:])
show("json", json.loads(json.dumps([{"i": i, "v": i / 3, "s": "a" * (i % 9)} for i in range(5_000)]))[-1])
for codec in (zlib, bz2, lzma):
    packed = codec.compress(data)
    assert codec.decompress(packed) == data
    show(codec.__name__, len(packed))
show("hashes", [hashlib.new(name, data * 4).hexdigest() for name in ("md5", "sha1", "sha256", "sha512", "blake2s", "sha3_256")])
show("scrypt", hashlib.scrypt(b"p", salt=b"s", n=1024, r=8, p=1))
show("struct", struct.unpack("<1000d", struct.pack("<1000d", *[i / 7 for i in range(1000)])))
base = sqlite3.connect(":memory:")
base.execute("create table t(a integer primary key, b text, c real)")
base.executemany("insert into t values(?, ?, ?)", ((i, str(i * 7919 % 1009), i / 3) for i in range(20_000)))
show("sqlite", base.execute("select b, count(*), sum(c), max(a) from t group by b order by 3 desc, b limit 50").fetchall())
callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
numbers = (ctypes.c_int * 5000)(*[i * 7919 % 5003 for i in range(5000)])
ctypes.CDLL(None).qsort(numbers, len(numbers), ctypes.sizeof(ctypes.c_int), callback(lambda a, b: a[0] - b[0]))
show("callbacks", list(numbers))

total = 0
lock = threading.Lock()


def count():
    global total
    for _ in range(5_000):
        with lock:
            total += 1


threads = [threading.Thread(target=count) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
show("threads", total)
readable, writable = os.pipe()
children = []
for i in range(8):
    pid = os.fork()
    if pid == 0:
        os.write(writable, bytes([i]))
        os._exit(i)
    children.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
show("fork", (children, os.read(readable, 8)))
show("processes", [subprocess.run(["/bin/sh", "-c", f"exit {i}"]).returncode for i in range(5)])
