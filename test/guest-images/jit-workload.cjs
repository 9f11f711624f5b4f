// What a JIT engine, its garbage collector and its native libraries do, each piece reduced to a digest that is the same on every machine.
// Plain JavaScript without dependencies: it runs on the host and inside guests. `node jit-workload.cjs [ROUNDS]`; times go to standard error.

const crypto = require("node:crypto");
const zlib = require("node:zlib");
const { Worker } = require("node:worker_threads");

const digest = (value) => crypto.createHash("sha256").update(String(value)).digest("hex").slice(0, 16);

function measure(name, work) {
  const began = process.hrtime.bigint();
  const value = work();
  console.log(name, digest(value));
  console.error(`${name} ${(Number(process.hrtime.bigint() - began) / 1e6).toFixed(1)} ms`);
}

const numbers = (seed) => {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
};

const WORK = {
  calls() {
    const fib = (n) => (n < 2 ? n : fib(n - 1) + fib(n - 2));
    return fib(27);
  },
  float() {
    let sum = 0;
    for (let i = 1; i < 2e6; i++) sum += Math.sqrt(i) / (i + 1);
    for (let i = 1; i < 1e5; i++) sum += Math.sin(i) * Math.cos(i) + i ** 0.3 + Math.atan2(i, 3) + Math.log(i) + Math.exp(i % 10);
    return sum;
  },
  regex() {
    const next = numbers(1);
    let text = "";
    for (let i = 0; i < 40000; i++) text += String.fromCharCode(97 + (next() % 26)) + (next() % 7 ? "" : " ");
    return text.replace(/([aeiou])([^aeiou ]+)/g, "<$2$1>").match(/\b\w*<\w+>\w*\b/g).length + text.split(/\s+/).sort().join();
  },
  json() {
    const next = numbers(2);
    const rows = Array.from({ length: 8000 }, (_, id) => ({ id, name: `n${next()}`, value: next() / 7, tags: [next() % 5] }));
    let text = "";
    for (let i = 0; i < 4; i++) text = JSON.stringify(JSON.parse(JSON.stringify(rows)));
    return text;
  },
  map() {
    const next = numbers(3);
    const counts = new Map();
    for (let i = 0; i < 200000; i++) counts.set(next() % 20000, (counts.get(next() % 20000) ?? 0) + 1);
    return [...counts].sort((a, b) => a[0] - b[0]).join();
  },
  garbage() {
    let list = null;
    let sum = 0;
    for (let i = 0; i < 1e6; i++) {
      list = { i, box: [i], next: i % 1000 ? list : null };
      sum += list.box[0];
    }
    return sum;
  },
  bigint() {
    let product = 1n;
    for (let i = 1n; i < 2000n; i++) product *= i;
    return product;
  },
  classes() {
    class A {
      f(x) {
        return x + 1;
      }
    }
    class B extends A {
      f(x) {
        return super.f(x) * 2;
      }
    }
    class C extends A {
      f(x) {
        return x ^ 5;
      }
    }
    const all = [new A(), new B(), new C()];
    let sum = 0;
    for (let i = 0; i < 2e6; i++) sum = (sum + all[i % 3].f(i)) | 0;
    return sum;
  },
  /** New code, run once or twice and forgotten. */
  functions() {
    let sum = 0;
    for (let i = 0; i < 1500; i++) sum += new Function("a", `return a * ${i} + ${i % 7}`)(i);
    return sum;
  },
  /** Types change under optimized code, which is then thrown away. */
  deoptimize() {
    let sum = "";
    for (let round = 0; round < 30; round++) {
      const add = new Function("a", "b", `/* ${round} */ return a + b`);
      let value = 0;
      for (let i = 0; i < 20000; i++) value = add(value, i);
      sum += add(value, 0.5) + add("x", round) + add(2n, BigInt(round));
    }
    return sum;
  },
  exceptions() {
    let count = 0;
    for (let i = 0; i < 30000; i++) {
      try {
        if (i % 3 === 0) throw new Error(`x${i}`);
        count++;
      } catch (error) {
        count += error.message.length;
      }
    }
    return count;
  },
  typedArrays() {
    const next = numbers(4);
    const values = Float64Array.from({ length: 1 << 16 }, () => next()).sort();
    const bytes = new Uint8Array(values.buffer);
    let sum = 0;
    for (let i = 0; i < bytes.length; i++) sum = (sum * 31 + bytes[i]) | 0;
    return sum;
  },
  /** A loop of WebAssembly, by hand: x = rotl(x * 3 + n, 7), n times. */
  wasm() {
    const module = new WebAssembly.Module(
      Uint8Array.from([
        0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 1, 127, 1, 127, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 33, 1, 31, 1, 1, 127, 3,
        64, 32, 1, 65, 3, 108, 32, 0, 106, 65, 7, 120, 33, 1, 32, 0, 65, 1, 107, 34, 0, 13, 0, 11, 32, 1, 11,
      ]),
    );
    return new WebAssembly.Instance(module).exports.f(3e6);
  },
  hashes() {
    const data = Buffer.alloc(1 << 20, "abc");
    const sums = ["md5", "sha1", "sha256", "sha512", "blake2b512", "sha3-256"].map((name) =>
      crypto.createHash(name).update(data).digest("hex"),
    );
    return (
      sums + crypto.pbkdf2Sync("a", "b", 2000, 32, "sha512").toString("hex") + crypto.scryptSync("p", "s", 32).toString("hex")
    );
  },
  ciphers() {
    const data = Buffer.alloc(1 << 20, "abc");
    return ["aes-256-gcm", "aes-128-ctr", "chacha20-poly1305"].map((name) => {
      const cipher = crypto.createCipheriv(
        name,
        Buffer.alloc(/128/.test(name) ? 16 : 32, 1),
        Buffer.alloc(/ctr/.test(name) ? 16 : 12, 2),
        {
          authTagLength: 16,
        },
      );
      const text = crypto.createHash("md5").update(cipher.update(data)).digest("hex") + cipher.final("hex");
      return text + (/ctr/.test(name) ? "" : cipher.getAuthTag().toString("hex"));
    });
  },
  signatures() {
    return ["P-256", "P-384"].map((namedCurve) => {
      const { privateKey, publicKey } = crypto.generateKeyPairSync("ec", { namedCurve });
      const signature = crypto.sign("sha256", Buffer.from("x"), privateKey);
      return [
        crypto.verify("sha256", Buffer.from("x"), publicKey, signature),
        crypto.verify("sha256", Buffer.from("y"), publicKey, signature),
      ];
    });
  },
  compression() {
    const next = numbers(5);
    const data = Buffer.from(Uint8Array.from({ length: 400_000 }, () => next() >>> 28));
    const unpacked = [
      zlib.inflateSync(zlib.deflateSync(data)),
      zlib.brotliDecompressSync(zlib.brotliCompressSync(data.subarray(0, 60_000))),
    ];
    return unpacked.map((bytes) => crypto.createHash("md5").update(bytes).digest("hex"));
  },
};

function inWorker(source, workerData) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(`const { parentPort, workerData } = require("node:worker_threads"); ${source}`, {
      eval: true,
      workerData,
    });
    worker.on("message", resolve).on("error", reject);
  });
}

async function threads() {
  const sums = await Promise.all(
    [1, 2, 3].map((seed) =>
      inWorker(
        "let x = workerData; for (let i = 0; i < 3e6; i++) x = (x * 1103515245 + 12345) & 0x7fffffff; parentPort.postMessage(x)",
        seed,
      ),
    ),
  );
  const shared = new Int32Array(new SharedArrayBuffer(4));
  const count =
    "const a = new Int32Array(workerData); for (let i = 0; i < 200000; i++) Atomics.add(a, 0, 1); parentPort.postMessage(0)";
  await Promise.all([0, 1, 2].map(() => inWorker(count, shared.buffer)));
  let awaited = 0;
  const tree = async (depth) => {
    awaited++;
    if (depth > 0) await Promise.all([tree(depth - 1), tree(depth - 1)]);
  };
  await tree(11);
  return [sums, shared[0], awaited];
}

async function main() {
  const rounds = Number(process.argv[2] ?? 1);
  for (let round = 0; round < rounds; round++) {
    for (const [name, work] of Object.entries(WORK)) measure(name, work);
    const value = await threads();
    measure("threads", () => value);
  }
}
main();
