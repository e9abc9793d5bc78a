// Bench, subject: BullMQ with its own global limiter, as its guide shows. `node work.mjs` works, `node work.mjs COUNT`
// enqueues.
import { Queue, Worker } from "bullmq";

const { BENCH_STORE, BENCH_API, BENCH_AUTHORIZATION } = process.env;
const connection = { url: BENCH_STORE, maxRetriesPerRequest: null };

async function status(job) {
  const vid = `VEH-${String((job.data.number % 130) + 1).padStart(5, "0")}`;
  const headers = {
    Authorization: BENCH_AUTHORIZATION,
    "X-Request-ID": crypto.randomUUID(),
    "X-Correlation-ID": `job-${job.data.number}`,
  };
  const answer = await fetch(BENCH_API.replace("{vid}", vid), { headers });
  await answer.arrayBuffer();
  if (answer.status === 429) {
    await worker.rateLimit(1000 * Number(answer.headers.get("Retry-After") ?? 1));
    throw Worker.RateLimitError();
  }
}

let worker;
if (process.argv[2]) {
  const queue = new Queue("bench", { connection });
  const jobs = Array.from({ length: Number(process.argv[2]) }, (_, number) => ({ name: "status", data: { number } }));
  await queue.addBulk(jobs);
  await queue.close();
} else {
  worker = new Worker("bench", status, { connection, concurrency: 8, limiter: { max: 100, duration: 1000 } });
  await worker.waitUntilReady();
  console.error("ready");
  process.on("SIGTERM", () => worker.close().then(() => process.exit(0)));
}
