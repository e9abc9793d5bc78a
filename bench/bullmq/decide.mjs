// Bench, subject: one caller that takes one job after another with BullMQ's own limiter in force, as its guide shows for
// manual processing: ending a job brings the next one. `node decide.mjs PERMITS WINDOW_S`; protocol: deciding.py.
import { once } from "node:events";
import { Job, Queue, Worker } from "bullmq";

const WARM = 200;
const permits = Number(process.argv[2]);
const connection = { url: process.env.BENCH_STORE, maxRetriesPerRequest: null };
const limiter = { max: 1_000_000, duration: 1000 * Number(process.argv[3]) };
const token = `bench-${process.pid}`;

const queue = new Queue("decide", { connection });
const body = { location_id: "LOC-0001", evse_uids: ["LOC-0001-E1"] };
const data = { account: "hub:IN-ABC", params: { country_code: "IN", party_id: "ABC", token_uid: "012345678" }, body };
await queue.addBulk(Array.from({ length: permits + WARM + 2 }, () => ({ name: "authorize", data })));
const worker = new Worker("decide", null, { connection, limiter });
await worker.waitUntilReady();

const answer = { allowed: "ALLOWED", location: "LOC-0001", said: "-".repeat(60) };
let job = await worker.getNextJob(token);
async function decide() {
  const [next, id] = await job.moveToCompleted(answer, token, true);
  job = Job.fromJSON(worker, next, id);
}

for (let number = 0; number < WARM; number++) await decide();
console.log("ready");
await once(process.stdin, "data");
const began = performance.now();
const computed = process.cpuUsage();
for (let number = 0; number < permits; number++) await decide();
const seconds = (performance.now() - began) / 1000;
const { user, system } = process.cpuUsage(computed);
console.log(JSON.stringify({ seconds, cpu_s: (user + system) / 1e6 }));
process.exit(0);
