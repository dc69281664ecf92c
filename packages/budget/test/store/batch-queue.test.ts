import { expect, it } from "vitest"
import { BatchQueue, type Outcome } from "../../src/store/batch-queue"

it("reports when no job is left, so that its owner can delete it: after each burst, and after a failure", async () => {
  const log: string[] = []
  const queue = new BatchQueue<number>({
    maxBatch: 2,
    timeoutMs: 60_000,
    run: async (jobs) => {
      log.push(jobs.join())
      if (jobs.includes(5)) throw new Error("failed")
      return jobs.map((reply): Outcome => ({ status: "done", reply }))
    },
    onIdle: () => void log.push("idle"),
  })
  const later = () => new Promise((resolve) => setImmediate(resolve))
  expect(await Promise.all([1, 2, 3].map((job) => queue.add(job)))).toEqual([1, 2, 3])
  await later()
  expect(await queue.add(4)).toBe(4)
  await later()
  await expect(queue.add(5)).rejects.toThrow("failed")
  await later()
  expect(log).toEqual(["1,2", "3", "idle", "4", "idle", "5", "idle"])
})
