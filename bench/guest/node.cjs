// Benchmark programs for Node inside a guest: V8 emits code, patches it, throws it away and collects garbage; starting Node maps and
// relocates some hundred MB. Run by the same Node on the host and in every guest; prints `name value unit` as the C programs do.
// Usage: node node.cjs [--ms N] [--rounds N] [NAME...]; --list names them.

const { spawnSync } = require("node:child_process");
const { createHash } = require("node:crypto");

let sink = 0; // what a program computes has to go somewhere

class Plain {
  step(x) {
    return x + 1;
  }
}
class Super extends Plain {
  step(x) {
    return super.step(x) * 2;
  }
}
class Other extends Plain {
  step(x) {
    return x ^ 5;
  }
}
const SHAPES = [new Plain(), new Super(), new Other()];
const ROWS = Array.from({ length: 200 }, (_, id) => ({ id, name: `row ${id * 7919}`, value: id / 7, tags: [id % 5, id % 3] }));
const CALLS_OF_FIB_20 = 21_891;
const HASHED_KIB = 64;
const fib = (n) => (n < 2 ? n : fib(n - 1) + fib(n - 2));

/** Name, unit, what does `count` of them, and of how many at a time (1 where it does not say). */
const PROGRAMS = [
  [
    "node-start",
    "ns/start",
    (count) => {
      for (let i = 0; i < count; i++)
        if (spawnSync(process.execPath, ["-e", "0"]).status !== 0) throw new Error("Node does not start");
    },
  ],
  [
    "node-calls",
    "ns/call",
    (count) => {
      for (let i = 0; i < count; i += CALLS_OF_FIB_20) sink += fib(20);
    },
    CALLS_OF_FIB_20,
  ],
  [
    "node-objects",
    "ns/op",
    (count) => {
      let sum = 0;
      for (let i = 0; i < count; i++) sum = (sum + SHAPES[i % 3].step(i)) | 0;
      sink += sum;
    },
  ],
  [
    "node-garbage",
    "ns/object",
    (count) => {
      let list = null;
      for (let i = 0; i < count; i++) list = { i, box: [i], next: i % 1000 ? list : null };
      sink += list.i;
    },
  ],
  [
    "node-functions",
    "ns/function",
    (count) => {
      for (let i = 0; i < count; i++) sink += new Function("a", `return a * ${i} + ${i % 7}`)(i);
    },
  ],
  [
    "node-deoptimize",
    "ns/round",
    (count) => {
      for (let i = 0; i < count; i++) {
        const add = new Function("a", "b", `/* ${i} */ return a + b`);
        let value = 0;
        for (let n = 0; n < 20_000; n++) value = add(value, n);
        sink += String(add(value, 0.5) + add("x", i)).length;
      }
    },
  ],
  [
    "node-json",
    "ns/row",
    (count) => {
      for (let i = 0; i < count; i += ROWS.length) sink += JSON.stringify(JSON.parse(JSON.stringify(ROWS))).length;
    },
    ROWS.length,
  ],
  [
    "node-sha256",
    "ns/KiB",
    (count) => {
      const data = Buffer.alloc(HASHED_KIB << 10, "abc");
      for (let i = 0; i < count; i += HASHED_KIB) sink += createHash("sha256").update(data).digest()[0];
    },
    HASHED_KIB,
  ],
];

function time(work, count) {
  const began = process.hrtime.bigint();
  work(count);
  return Number(process.hrtime.bigint() - began);
}

/** Timings without a tenth's gain after which V8 is taken to have compiled what it will, and the most that are waited for. */
const SETTLED = 3;
const MOST_TIMINGS = 30;

/**
 * As many as take long enough once V8 has compiled them; the best of the rounds, because noise only adds. The first long timing does not
 * say that there are enough: a processor that was away, or code that is still interpreted, takes long too.
 */
function measure(work, roundNs, rounds, atATime = 1) {
  let count = atATime;
  for (;;) {
    let best = time(work, count);
    for (let same = 0, n = 0; best >= roundNs / 2 && same < SETTLED && n < MOST_TIMINGS; n++) {
      const spent = time(work, count);
      same = spent < best * 0.9 ? 0 : same + 1;
      best = Math.min(best, spent);
    }
    if (best >= roundNs / 2) break;
    const factor = Math.min(10, roundNs / Math.max(best, 1));
    count = Math.ceil((count * factor) / atATime) * atATime;
  }
  let best = Infinity;
  for (let i = 0; i < rounds; i++) best = Math.min(best, time(work, count) / count);
  return best;
}

const clock = () => console.log(`# clock ${process.hrtime.bigint()}`);
const words = process.argv.slice(2);
const option = (name, otherwise) => {
  const at = words.indexOf(name);
  return at < 0 ? otherwise : Number(words.splice(at, 2)[1]);
};
const roundNs = option("--ms", 200) * 1e6;
const rounds = option("--rounds", 2);
if (words[0] === "--list") {
  for (const [name, unit] of PROGRAMS) console.log(`${name} ${unit}`);
} else {
  clock();
  for (const [name, unit, work, atATime] of PROGRAMS) {
    if (words.length > 0 && !words.includes(name)) continue;
    console.log(`${name} ${measure(work, roundNs, rounds, atATime).toPrecision(4)} ${unit}`);
  }
  clock();
  if (!Number.isFinite(sink)) throw new Error("a program computed nothing");
}
