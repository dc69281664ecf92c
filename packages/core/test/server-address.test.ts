import { expect, it } from "vitest"
import { isServerAddress } from "../src/index"

it.each([
  "redis://cache.test:6379/2",
  "redis://:Pa55w0rd@cache.test",
  "redis://app:Pa@55@cache.test:6379",
  "rediss://app:Pa%2F55%23w0rd@cache.test:6379/0",
  "postgres://app:Pa55w0rd@db.test/app?sslmode=require",
  "postgres://db.test/app?user=app%40tenant",
  "postgresql:///app",
])("accepts %s", (address) => {
  expect(isServerAddress(address)).toBe(true)
})

it.each([
  "redis://app:Pa/ss#w0rd@cache.test:6379",
  "redis://app:55/w0rd@cache.test:6379",
  "redis://app:55?w0rd@cache.test",
  "redis://app:55#w0rd@cache.test",
  "postgres://app:1/2@db.test/app",
  "postgres://db.test:70000/app",
  "redis",
  "",
])("rejects %j", (address) => {
  expect(isServerAddress(address)).toBe(false)
})
